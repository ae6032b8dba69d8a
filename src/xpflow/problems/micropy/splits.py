"""Which combinations belong to training, validation and test: decided by a hash, never by hand.

Every combination belongs to exactly one split, so a test task's combination never occurs in training, with
any constants. Its parts do occur: each aggregator, map, filter, condition and expression is seen in training.
Different combinations can still be one function; `functions.py` keeps those out of the held-out sets.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Literal

from xpflow.problems.micropy.grammar import Combination, Family, combinations

Split = Literal["train", "validation", "test"]
VERSION = "micropy-1"
SHARES = (0.25, 0.12)  # of test and validation


def split_of(family: Family, combination: Combination) -> Split:
    """Return the split a combination belongs to (sha256 of its name, so the same on every machine)."""
    return split_of_name(VERSION, family, *combination)


def split_of_name(*parts: str, shares: tuple[float, float] = SHARES) -> Split:
    """Return the split that a name belongs to, by its sha256; `shares` are those of test and validation."""
    test, validation = shares
    name = "|".join(parts)
    share = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
    if share < test:
        return "test"
    return "validation" if share < test + validation else "train"


@cache
def combinations_of(family: Family, split: Split) -> tuple[Combination, ...]:
    """Return all combinations of a family in a split, in grammar order."""
    return tuple(c for c in combinations(family) if split_of(family, c) == split)
