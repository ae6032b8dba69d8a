"""The chance that places agree when exact conditionals of a repeated word are sampled in several steps."""

from __future__ import annotations

from math import comb


def ancestral_ceiling(size: int, length: int, steps: int) -> float:
    """Return P(all places agree) for exact conditionals of a repeated word, sampled in `steps` equal steps.

    Places fall into steps uniformly. The first step that has any draws its n places independently, which
    agree with probability size^(1 - n); all later ones are certain. The value is the mean of that.
    """
    total = 0.0
    for step in range(1, steps + 1):
        later = (steps - step) / steps
        for n in range(1, length + 1):
            total += comb(length, n) * steps**-n * later ** (length - n) * size ** (1.0 - n)
    return total
