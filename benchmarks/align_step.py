"""One alignment step: seconds, peak memory, and the share of the matrix rate that the model's FLOP reach.

Model FLOP of a step are three forwards of its batch (two where the weights are frozen), and one for the base
model of a KL term; a layer that is run twice to save memory counts once. The share is of the measured rate of
a large matrix product. Everything runs through the trainer that a study runs; its first step warms up.
"""

from __future__ import annotations

import argparse
import itertools
from typing import Any

import torch

from common import DTYPES, now, parser, random_model, random_prompts, rates, sizes
from report import Report
from xpflow.planning.alignment import Alignment
from xpflow.planning.work import Forward
from xpflow.runtime.machine import Machine
from xpflow.study.config.machine import RuntimeBlock
from xpflow.study.config.training import FullSettings, LoraSettings, TrainingBlock, TrainingRun
from xpflow.training.examples import Example, OwnAnswers
from xpflow.training.objectives import OBJECTIVES
from xpflow.training.trainer import Trainer
from xpflow.training.tuning import tuner


def options() -> argparse.Namespace:
    """Return the command line's options."""
    found = parser(__doc__.splitlines()[0])
    found.add_argument(
        "--kind", choices=("full", "lora"), help="none: full for a dense model, lora for experts"
    )
    found.add_argument("--batch-size", type=int, default=4, help="sequences of a step")
    found.add_argument("--prompt-tokens", type=int, default=150)
    found.add_argument("--gen-length", type=int, default=256, help="N, response tokens")
    found.add_argument("--kl-weight", type=float, default=0.0)
    found.add_argument("--steps", type=int, default=5, help="steps that are measured")
    found.add_argument("--vocab-chunk", type=int, default=512)
    found.add_argument("--no-activation-checkpointing", action="store_true")
    return found.parse_args()


def main() -> None:
    """Measure and write the result."""
    opts = options()
    model = random_model(opts)
    full = (opts.kind or ("lora" if model.config.model_type == "llada2_moe" else "full")) == "full"
    report = Report("align_step", opts, model)
    report.rates = rates(opts.device, DTYPES[opts.dtype])
    plan = planned(opts, model, full)
    found = measure(opts, model, full)
    flop = model_flop(opts, model, full)
    share = flop / found["step_seconds"] / report.rates["matmul_flop_per_s"]
    report.values = {
        "kind": "full" if full else "lora",
        **found,
        "model_flop": flop,
        "model_flop_share": share,
        "planned_peak_bytes": plan.memory().total,
        "tokens_per_s": opts.batch_size * plan.sequence(opts.prompt_tokens)[0] / found["step_seconds"],
    }
    report.target("model FLOP per second, as a share of the matrix rate", share, at_least=0.4)
    report.write()


def block(opts: argparse.Namespace) -> TrainingBlock:
    """Return the settings of an alignment that does not look at its curves between first and last step."""
    steps = opts.steps + 1
    full = FullSettings(updates=steps, batch_size=opts.batch_size, learning_rate=1e-5)
    lora = LoraSettings(updates=steps, batch_size=opts.batch_size, learning_rate=1e-4)
    return TrainingBlock(full=full, lora=lora, log_every=steps + 1)


def measure(opts: argparse.Namespace, model: Any, full: bool) -> dict[str, Any]:
    """Return seconds of a step and the peak of allocated memory during the steps (null on a CPU)."""
    prompts = random_prompts(model, 4 * opts.batch_size, opts.prompt_tokens, opts.seed)
    answers = random_prompts(model, len(prompts), opts.gen_length, opts.seed + 1)
    examples = [Example(tuple(p), tuple(a)) for p, a in zip(prompts, answers, strict=True)]
    data = OwnAnswers(examples, examples[:1], [])
    trainer = make_trainer(opts, model, data, full)
    stamps: list[float] = []
    peaks: list[int] = []

    def after_step(*_: object) -> None:
        stamps.append(now(opts.device))
        if opts.device.startswith("cuda"):
            peaks.append(torch.cuda.max_memory_allocated(opts.device))
            torch.cuda.reset_peak_memory_stats(opts.device)

    trainer.optimizers[0].register_step_post_hook(after_step)
    trainer.run(lambda row: None)
    each = [end - start for start, end in itertools.pairwise(stamps)]
    return {
        "step_seconds": min(each),
        "step_seconds_median": sorted(each)[len(each) // 2],
        "steps": len(each),
        "peak_bytes": max(peaks[1:], default=None),
    }


def make_trainer(opts: argparse.Namespace, model: Any, data: OwnAnswers, full: bool) -> Trainer:
    """Return a study's trainer with these settings; the model itself is trained where no copy is needed."""
    run = TrainingRun(name="bench", objective="x_prediction", settings={"kl_weight": opts.kl_weight})
    student = None if full and opts.kl_weight > 0 else model
    machine = Machine.of(runtime(opts))
    return tuner(model, data, block(opts), run, full, opts.seed, machine=machine, student=student)


def runtime(opts: argparse.Namespace) -> RuntimeBlock:
    """Return the block `runtime` of a study that aligns so."""
    return RuntimeBlock(
        device=opts.device,
        dtype=opts.dtype,
        vocab_chunk=opts.vocab_chunk,
        activation_checkpointing=not opts.no_activation_checkpointing,
    )


def planned(opts: argparse.Namespace, model: Any, full: bool) -> Alignment:
    """Return what `xpflow plan` says of such an alignment, for comparison with the measured peak."""
    settings, objective = block(opts), OBJECTIVES["x_prediction"]
    return Alignment(
        arch=sizes(model),
        settings=settings.full if full else settings.lora,
        cost=objective.cost(objective.checked({"kl_weight": opts.kl_weight})),
        runtime=runtime(opts),
        length=opts.gen_length,
        prompt=opts.prompt_tokens,
        longest=opts.prompt_tokens,
        watched=1,
        log_every=settings.log_every,
    )


def model_flop(opts: argparse.Namespace, model: Any, full: bool) -> float:
    """Return the model FLOP of a step."""
    size, reads = planned(opts, model, full).sequence(opts.prompt_tokens)
    forward = Forward(opts.batch_size, size, size, reads).flop(sizes(model))
    return forward * ((3 if full else 2) + (opts.kl_weight > 0))


if __name__ == "__main__":
    main()
