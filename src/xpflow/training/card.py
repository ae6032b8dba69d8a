"""The card of a pre-trained micro model: data, recipe, loss curve, validation pass rates and hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from xpflow.artifacts.io import atomic_write_text, sha256_file
from xpflow.grading.grade import Grader
from xpflow.models.load import load_model
from xpflow.problems.benchmark import load_benchmark
from xpflow.problems.micropy.splits import VERSION
from xpflow.protocols.find import find_protocol
from xpflow.protocols.prompter import Prompter
from xpflow.runtime.answers import answered
from xpflow.stats.intervals import wilson
from xpflow.training.pretrain import Recipe

BENCHMARKS = ("micropy-he", "micropy-mbpp")


def validation_counts(folder: Path, grader: Grader, length: int) -> dict[str, tuple[int, int]]:
    """Return (solved, problems) of each MicroPy validation set for greedy full-budget mask prediction."""
    from xpflow.decoding import decode, settings_from

    model, tokenizer = load_model(folder)
    prompter = Prompter(find_protocol(), tokenizer)
    settings = settings_from("mask_prediction", {"gen_length": length, "suppress": "special"})
    counts = {}
    for name in BENCHMARKS:
        problems = load_benchmark(name, "validation")
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
) -> None:
    """Write MODEL_CARD.md into a checkpoint folder."""
    lines = [
        f"# {model}",
        "",
        "A masked diffusion language model of about a million parameters, trained from random weights on",
        f"{VERSION}, the embedded world of small Python tasks. It exists to compare decoders.",
        "",
        f"- Made by `snakemake pretrain` (`xpflow pretrain --model {model}`), from seed {recipe.seed}.",
        "- Data: an endless stream of training combinations (40 % signature and docstring, 40 % sentence and",
        "  assert, 20 % requests). No combination of a validation or test problem is among them, and no test",
        "  problem was looked at to choose anything.",
        f"- Sequences seen: {recipe.steps * recipe.batch_size}.",
        f"- `model.safetensors` sha256 `{sha256_file(folder / 'model.safetensors')}`.",
        "",
        "| validation set | solved at full budget, greedy mask prediction | 95 % interval |",
        "| --- | --- | --- |",
    ]
    for name, (solved, total) in counts.items():
        interval = wilson(solved, total).scaled(100)
        share = f"{solved}/{total} = {100 * solved / total:.1f} %"
        lines.append(f"| {name} | {share} | {interval.low:.1f} to {interval.high:.1f} % |")
    lines += ["", "| setting | value |", "| --- | --- |"]
    lines += [f"| {key} | {value} |" for key, value in asdict(recipe).items()]
    lines += ["", "| step | training loss (nats per masked token) |", "| --- | --- |"]
    lines += [f"| {row['step']} | {row['loss']:.4f} |" for row in _thinned(log)]
    atomic_write_text(folder / "MODEL_CARD.md", "\n".join(lines) + "\n")


def _thinned(log: Sequence[Mapping[str, Any]], points: int = 16) -> list[Mapping[str, Any]]:
    """Return about `points` rows of a log, evenly spaced, with the last one."""
    every = max(1, len(log) // points)
    return [row for i, row in enumerate(log) if (len(log) - 1 - i) % every == 0]
