"""How a stage that is not an evaluation decodes: by the decoder of its own block of the study."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from xpflow.decoding.registry import decoder_entry, default_decoder
from xpflow.models.aligned import aligned_models, alignment_of, reads_embeddings
from xpflow.models.registry import model_entry
from xpflow.study.layout import LOG
from xpflow.study.settings import stage_settings

__all__ = ["is_aligned", "of_total", "stage_settings", "warn_unaligned"]


def warn_unaligned(decoder: str, weights: str | Path) -> None:
    """Say on stderr that a decoder which moves embeddings step by step works on weights not trained for it.

    weights: a model's name, or its folder. Aligned ones say so in their config.json; a folder that an older
    `xpflow train` wrote holds the run's log instead. Weights of a run that learned at masks alone are not
    aligned in this sense. What is aligned and ships, the warning names.
    """
    if not decoder_entry(decoder).takes_policy or is_aligned(weights):
        return
    shipped = [name for name in aligned_models(weights) if name != str(weights)]
    cure = f"--model {' or '.join(shipped)}, or " if shipped else ""
    entry = model_entry(str(weights))
    said = alignment_of(entry.shipped_folder if entry is not None else weights)
    why = (
        f"{decoder} on weights that were trained at masks alone, by {said['objective']}: {weights}"
        if said
        else f"{decoder} on base weights: no training run has aligned {weights}"
    )
    print(
        f"warning: {why}, and its inputs are embeddings that such weights have never seen, so answers are "
        "often garbage (docs/training.md)\n"
        f"  hint: use {cure}a decoder that these weights are made for: {default_decoder()}, for one",
        file=sys.stderr,
        flush=True,
    )


def is_aligned(weights: str | Path) -> bool:
    """Return whether weights were trained for embeddings: they say so, or say nothing beside a run's log."""
    entry = model_entry(str(weights))
    if entry is not None:
        return entry.repo is None and reads_embeddings(alignment_of(entry.shipped_folder))
    said = alignment_of(weights)
    return reads_embeddings(said) if said else (Path(weights) / LOG).is_file()


def of_total(report: Callable[[int, int], None] | None, total: int) -> Callable[[int], None] | None:
    """Return a decoder's progress callback, which is told only (done), from a report of (done, total)."""
    return None if report is None else partial(_call_with_total, report, total)


def _call_with_total(report: Callable[[int, int], None], total: int, done: int) -> None:
    report(done, total)
