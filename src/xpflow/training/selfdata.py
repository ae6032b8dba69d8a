"""Self-alignment data: a model's own answers to prompts, and real answers kept apart.

Row: {task_id, prompt_ids, response, kind}; kind is "train", "probe" (own answers that only the log looks at)
or "heldout" (real answers, no model involved). With `selfdata.steps` own answers have `steps` too: for each
response token the forward, counted from 0, in which it took its final value. With `answers: reference` all
answers are the benchmark's own, and those that are longer than N are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from xpflow.decoding import decode
from xpflow.problems.benchmark import benchmark_shape, load_benchmark
from xpflow.problems.problem import Problem
from xpflow.protocols.find import find_protocol
from xpflow.protocols.prompter import Prompter
from xpflow.protocols.protocol import Protocol
from xpflow.runtime.decoding import of_total, stage_settings
from xpflow.runtime.models import open_model
from xpflow.study.config.root import StudyConfig
from xpflow.study.config.training import PROBES
from xpflow.training.decision_steps import DecisionSteps
from xpflow.training.examples import response_ids

Row = dict[str, Any]


def self_aligned_rows(
    study: StudyConfig,
    model_source: str | Path,
    seed: int,
    *,
    shard: tuple[int, int] = (1, 1),
    report: Callable[[int, int], None] | None = None,
    protocol: Protocol | None = None,
) -> list[Row]:
    """Answer the prompts of a seed with a model, as block `selfdata` says, and add the held-out real answers.

    Args:
        shard: (k, n): only every n-th row, from the k-th; the union over k is the whole set in any order.
        protocol: chat template and EOS handling (none: the default one); prompts are decoded as the protocol
            decodes their shape (those without tests: MBPP's), at the block's own length.
    """
    settings = study.selfdata
    asked, held = prompts_of_seed(study, seed)
    model, tokenizer = open_model(study, model_source)
    kinds = ["train"] * (len(asked) - PROBES) + ["probe"] * PROBES
    k, n = shard
    asked, held, kinds = asked[k - 1 :: n], held[k - 1 :: n], kinds[k - 1 :: n]
    prompter = Prompter(protocol or find_protocol(), tokenizer)
    if settings.answers == "reference":
        return _real_rows(prompter, [*asked, *held], [*kinds, *["heldout"] * len(held)], settings.gen_length)
    prompts = [prompter.encode(problem) for problem in asked]
    how = stage_settings(settings, prompter.protocol, benchmark_shape(settings.benchmark) or "mbpp")
    watch = DecisionSteps(len(prompts), settings.gen_length) if settings.steps else None
    result = decode(model, prompts, how, observer=watch, progress=of_total(report, len(prompts)))
    own: list[Row] = [
        {"task_id": problem.task_id, "prompt_ids": prompt, "response": tokens, "kind": kind}
        for problem, prompt, tokens, kind in zip(asked, prompts, result.tokens.tolist(), kinds, strict=True)
    ]
    if watch is not None:
        for row, steps in zip(own, watch.of(result.tokens).tolist(), strict=True):
            row["steps"] = steps
    return own + _real_rows(prompter, held, ["heldout"] * len(held), settings.gen_length)


def prompts_of_seed(study: StudyConfig, seed: int) -> tuple[list[Problem], list[Problem]]:
    """Return the prompts of a seed's data (no two seeds share one) and the held-out ones (all share)."""
    settings = study.selfdata
    sources = study.problems.sources.model_dump()
    entry = study.benchmark_entry(settings.benchmark)
    everything = load_benchmark(entry, settings.split, sources=sources)
    asked = settings.asked(seed, len(everything))
    return everything[asked.start : asked.stop], everything[len(everything) - settings.heldout :]


def _real_rows(
    prompter: Prompter, problems: Sequence[Problem], kinds: Sequence[str], length: int
) -> list[Row]:
    rows = []
    for problem, kind in zip(problems, kinds, strict=True):
        response = response_ids(prompter.tokenizer, problem.canonical_solution.rstrip("\n"), length)
        if response is not None:
            prompt = prompter.encode(problem)
            rows.append(
                {
                    "task_id": problem.task_id,
                    "prompt_ids": prompt,
                    "response": list(response),
                    "kind": kind,
                }
            )
    return rows
