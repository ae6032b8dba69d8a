"""Pre-training of the micro models on a generated world: from random weights to a checkpoint with its card.

Resumable by step: the data, the masks and the learning rate of a step depend on nothing but the seed and its
number.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from textwrap import wrap
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from xpflow.artifacts.io import atomic_write_text, sha256_file, write_jsonl
from xpflow.decoding import decode, settings_from
from xpflow.decoding.registry import decoder_entry
from xpflow.errors import ConfigError, nearest
from xpflow.grading.grade import Grader
from xpflow.models.checkpoint import save_checkpoint
from xpflow.models.extra import save_extra
from xpflow.models.load import load_model
from xpflow.models.tokenizer import train_tokenizer
from xpflow.models.untrained import SpecialIds, architecture_of_micro, micro_config, new_model
from xpflow.problems.benchmark import load_benchmark
from xpflow.problems.worlds import PROBLEM_WORLDS
from xpflow.protocols.find import find_protocol
from xpflow.protocols.prompter import Prompter
from xpflow.runtime.answers import answered, make_grader
from xpflow.runtime.machine import Machine
from xpflow.stats.intervals import wilson
from xpflow.study.config.root import StudyConfig
from xpflow.training.corpus import Corpus
from xpflow.training.guard import config_facts, tokenizer_sha256
from xpflow.training.objective import Loss, make_loss
from xpflow.training.optimizers import muon_and_adamw
from xpflow.training.pretrain_check import VALIDATION, check_pretrain
from xpflow.training.student import Student
from xpflow.training.trainer import Course, Row, Trainer, prepared

TOKENIZER_PAIRS = 20_000  # requests and answers that a tokenizer is trained on


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of a pre-training run; the last `decay_share` of its steps lower the rate to zero."""

    steps: int = 6000
    batch_size: int = 64
    response_length: int = 32
    learning_rate: float = 0.008
    embedding_learning_rate: float = 0.004
    weight_decay: float = 0.01
    warmup_steps: int = 100
    decay_share: float = 0.4
    balance_rate: float = 1e-3
    seed: int = 0
    log_every: int = 50
    checkpoint_every: int = 500
    autocast: bool = True
    objective: str = "masked"
    world: str = "micropy"

    @classmethod
    def of(cls, model: str, study: StudyConfig) -> Recipe:
        """Return a model's recipe from the study's block `pretrain`; raises ConfigError if it has none."""
        settings = study.pretrain.model_dump(exclude={"decoder", "benchmarks"})
        for key in ("steps", "learning_rate", "embedding_learning_rate", "decay_share"):
            if model not in settings[key]:
                raise ConfigError(
                    f"pretrain.{key} has no model {model!r}", hint=nearest(model, settings[key])
                )
            settings[key] = settings[key][model]
        return cls(**settings)

    def course(self) -> Course:
        """Return what the trainer reads of it."""
        return Course(
            self.steps,
            self.warmup_steps,
            self.decay_share,
            grad_clip=1.0,
            log_every=self.log_every,
            save_every=self.checkpoint_every,
            balance_rate=self.balance_rate,
        )


def pretrainer(model: Any, tokenizer: PreTrainedTokenizerBase, recipe: Recipe, code: str = "") -> Trainer:
    """Return the trainer of a micro model: a world without end, Muon and AdamW, one process on the CPU.

    `code` is the fingerprint of the stage's code. A saved state must agree with it, with recipe,
    configuration and tokenizer; the first weights follow from recipe and code.
    """
    recipe_facts = {key: value for key, value in asdict(recipe).items() if key != "checkpoint_every"}
    facts = {
        "recipe": recipe_facts,
        "model": config_facts(model),
        "tokenizer": tokenizer_sha256(tokenizer),
        "code": code,
    }
    machine = Machine(dtype=torch.bfloat16 if recipe.autocast else torch.float32)
    corpus = Corpus(tokenizer, recipe.response_length, seed=recipe.seed, world=recipe.world)
    loss = make_loss(recipe.objective)
    student, held = prepared(model, loss, machine, recipe.seed)
    return Trainer(
        student,
        loss,
        lambda step: corpus.examples(step, recipe.batch_size),
        recipe.course(),
        lambda student, loss: make_optimizers(student, loss, recipe),
        seed=recipe.seed,
        settings=facts,
        held=held,
    )


def make_optimizers(student: Student, loss: Loss, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Return Muon for the hidden matrices, and AdamW for the rest, as a recipe says."""
    rates = recipe.learning_rate, recipe.embedding_learning_rate
    return muon_and_adamw(student, loss, *rates, weight_decay=recipe.weight_decay, betas=(0.9, 0.98))


def pretrain_to_folder(model: str, out: Path, study: StudyConfig, code: str = "") -> None:
    """Train `model` to the end of its recipe, resuming from `out/state.pt` when it is there.

    Writes `log.jsonl` (a row per `log_every` steps) and `checkpoint/` (published layout, with its card) into
    `out`. `code` is the fingerprint of the stage's code.
    """
    torch.set_num_threads(study.runtime.threads or 1)
    out.mkdir(parents=True, exist_ok=True)
    recipe = Recipe.of(model, study)
    check_pretrain(study, "the study", at_work=True)
    network, tokenizer = new_micro_model(model, recipe.seed, world=recipe.world)
    trainer = pretrainer(network, tokenizer, recipe, code)

    def report(row: Row) -> None:
        shown = f"update {row['update']}/{recipe.steps} loss {row['loss']:.4f}"
        print(f"{model} {shown}", file=sys.stderr, flush=True)

    rows = trainer.run(report, out / "state.pt")
    write_jsonl(out / "log.jsonl", rows)
    folder = out / "checkpoint"
    save_checkpoint(trainer.model(network.dtype), tokenizer, folder)
    save_extra(trainer.held.extra(), recipe.objective, {}, folder)
    with make_grader(study) as grader:
        counts = validation_counts(folder, grader, recipe.response_length, study)
    write_card(folder, model, recipe, rows, counts, study.pretrain.decoder)


def new_micro_model(
    name: str, seed: int, vocab_size: int = 1024, world: str = "micropy"
) -> tuple[Any, PreTrainedTokenizerBase]:
    """Return a micro model with random weights and its tokenizer, trained on a world's training split.

    Raises:
        ConfigError: no micro model of that name.
    """
    kind = architecture_of_micro(name).tokenizer
    texts = kind.training_texts(islice(PROBLEM_WORLDS[world].training_pairs(0), TOKENIZER_PAIRS))
    tokenizer = train_tokenizer(kind, texts, vocab_size)
    tokens = {key: _id_of(tokenizer, token) for key, token in kind.special.items()}
    eot = tokens[kind.end_of_turn]
    ids = SpecialIds(
        mask_token_id=tokens["mask"],
        eos_token_id=tokens["eos"],
        pad_token_id=tokens["eos"],
        bos_token_id=tokens["bos"],
        eot_token_id=eot,
        suppress_token_ids=sorted(i for key, i in tokens.items() if key != "eos" and i != eot),
    )
    return new_model(micro_config(name, len(tokenizer), ids), seed), tokenizer


def _id_of(tokenizer: PreTrainedTokenizerBase, token: str) -> int:
    found = tokenizer.convert_tokens_to_ids(token)
    assert isinstance(found, int), token
    return found


def validation_counts(
    folder: Path, grader: Grader, length: int, study: StudyConfig
) -> dict[str, tuple[int, int]]:
    """Return (solved, problems) of each validation set of `pretrain.benchmarks`, decoded at full budget."""
    model, tokenizer = load_model(folder)
    prompter = Prompter(find_protocol(), tokenizer)
    settings = settings_from(study.pretrain.decoder, {"gen_length": length, "suppress": "special"})
    counts = {}
    for name in study.pretrain.benchmarks:
        problems = load_benchmark(name, VALIDATION)
        prompts = [prompter.encode(problem) for problem in problems]
        rows = decode(model, prompts, settings).tokens.tolist()
        verdicts = grader.grade(answered(prompter, problems, rows))
        counts[name] = (sum(verdict.passed for verdict in verdicts), len(problems))
    return counts


def write_card(
    folder: Path,
    model: str,
    recipe: Recipe,
    log: Sequence[Mapping[str, Any]],
    counts: Mapping[str, tuple[int, int]],
    decoder: str,
) -> None:
    """Write MODEL_CARD.md into a checkpoint folder."""
    world = PROBLEM_WORLDS[recipe.world]
    lines = [
        f"# {model}",
        "",
        *wrap(
            "A masked diffusion language model of one or two million parameters, trained from random weights "
            f"on {world.version}, {world.about}. It exists to compare decoders.",
            100,
        ),
        "",
        f"- Made by `snakemake pretrain` (`xpflow pretrain --model {model}`), from seed {recipe.seed}.",
        *wrap(
            f"- Data: {world.data} No test problem was looked at to choose anything.",
            100,
            subsequent_indent="  ",
        ),
        f"- Sequences seen: {recipe.steps * recipe.batch_size}.",
        f"- `model.safetensors` sha256 `{sha256_file(folder / 'model.safetensors')}`.",
        "",
        f"| validation set | solved at full budget, greedy {decoder_entry(decoder).title} | 95 % interval |",
        "| --- | --- | --- |",
    ]
    for name, (solved, total) in counts.items():
        interval = wilson(solved, total).scaled(100)
        share = f"{solved}/{total} = {100 * solved / total:.1f} %"
        lines.append(f"| {name} | {share} | {interval.low:.1f} to {interval.high:.1f} % |")
    lines += ["", "| setting | value |", "| --- | --- |"]
    lines += [f"| {key} | {value} |" for key, value in asdict(recipe).items()]
    lines += ["", "| step | training loss (nats per masked token) |", "| --- | --- |"]
    lines += [f"| {row['update']} | {row['loss']:.4f} |" for row in _thinned(log)]
    atomic_write_text(folder / "MODEL_CARD.md", "\n".join(lines) + "\n")


def _thinned(log: Sequence[Mapping[str, Any]], points: int = 16) -> list[Mapping[str, Any]]:
    """Return about `points` rows of a log, evenly spaced, with the last one."""
    every = max(1, len(log) // points)
    return [row for i, row in enumerate(log) if (len(log) - 1 - i) % every == 0]
