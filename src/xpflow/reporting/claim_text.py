"""The text of a claim, and what is said beside it where two arms were not compared at equal NFE."""

from __future__ import annotations

import re

ASIDE = re.compile(r" \(not at equal NFE: [^)]*\)$")


def with_aside(text: str, nfe_a: float, nfe_b: float) -> str:
    """Return a claim's text with the mean NFE of its two sides, which are not equal."""
    return f"{text} (not at equal NFE: {nfe_a:.1f} against {nfe_b:.1f})"


def without_aside(text: str) -> str:
    """Return the text as it was claimed: the aside differs from place to place."""
    return ASIDE.sub("", text)
