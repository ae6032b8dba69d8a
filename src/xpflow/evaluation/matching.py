"""The threshold at which threshold decoding needs as many forwards as another decoder's budget allows.

The mean NFE never falls when the threshold rises, up to rounding at ties, so bisection finds it. Validation
problems only: an arm of "equal mean NFE" must not be fitted to what it is tested on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from xpflow.decoding import decode, settings_from


@dataclass(frozen=True, slots=True)
class Match:
    """A threshold in (0, 1) and the mean NFE that it takes."""

    threshold: float
    mean_nfe: float


def matched_threshold(
    model: Any,
    prompts: Sequence[Sequence[int]],
    settings: dict[str, Any],
    budget: Fraction,
    *,
    rounds: int = 12,
    report: Callable[[Match], None] | None = None,
) -> Match:
    """Return the threshold whose mean NFE over `prompts` comes closest to `budget` times N.

    Args:
        settings: of the decoder `threshold` (gen_length among them), without threshold and budget.
        rounds: bisections of (0, 1); the last interval is 2 ** -rounds wide.
        report: called after every try.
    """
    target, low, high = float(budget * settings["gen_length"]), 0.0, 1.0
    tried: list[Match] = []
    for _ in range(rounds):
        threshold = (low + high) / 2
        chosen = settings_from("threshold", {**settings, "budget": Fraction(1), "threshold": threshold})
        tried.append(Match(threshold, float(decode(model, prompts, chosen).nfe.double().mean())))
        low, high = (threshold, high) if tried[-1].mean_nfe < target else (low, threshold)
        if report is not None:
            report(tried[-1])
    return min(tried, key=lambda match: (abs(match.mean_nfe - target), match.threshold))
