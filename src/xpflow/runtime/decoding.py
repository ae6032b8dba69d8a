"""How a stage that is not an evaluation decodes: by the decoder of its own block of the study."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from xpflow.decoding.registry import decoder_entry
from xpflow.study.layout import LOG
from xpflow.study.settings import stage_settings

__all__ = ["of_total", "stage_settings", "warn_unaligned"]


def warn_unaligned(decoder: str, weights: str | Path) -> None:
    """Say on stderr that a decoder which moves embeddings step by step works on weights of no training run.

    weights: a model's name, or its folder; a folder that `xpflow train` wrote holds the run's log.
    """
    if decoder_entry(decoder).takes_policy and not (Path(weights) / LOG).is_file():
        print(
            f"warning: {decoder} on base weights: no training run has aligned {weights}, and its inputs are "
            "embeddings that such weights have never seen, so answers are often garbage (docs/training.md)",
            file=sys.stderr,
            flush=True,
        )


def of_total(report: Callable[[int, int], None] | None, total: int) -> Callable[[int], None] | None:
    """Return a decoder's progress callback, which is told only (done), from a report of (done, total)."""
    return None if report is None else partial(_call_with_total, report, total)


def _call_with_total(report: Callable[[int, int], None], total: int, done: int) -> None:
    report(done, total)
