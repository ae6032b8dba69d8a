"""Exact paired comparison of two decoders on the same problems, and correction of a family of such tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.contingency_tables import mcnemar as _mcnemar
from statsmodels.stats.multitest import multipletests

from xpflow.errors import DataError


@dataclass(frozen=True, slots=True)
class McNemar:
    """The 2 x 2 table of a paired comparison and its exact two-sided p-value."""

    both: int
    only_a: int
    only_b: int
    neither: int
    p_value: float


def mcnemar_counts(both: int, only_a: int, only_b: int, neither: int) -> McNemar:
    """Return the exact McNemar test of four counts; only the two discordant ones bear on the p-value."""
    result = _mcnemar([[both, only_a], [only_b, neither]], exact=True)
    return McNemar(both, only_a, only_b, neither, min(1.0, float(result.pvalue)))


def mcnemar(passed_a_P: NDArray[np.bool_], passed_b_P: NDArray[np.bool_]) -> McNemar:
    """Compare two vectors of outcomes on the same problems in the same order.

    Both bool [P]. One run of each decoder: do not pool seeds here, their answers to a problem are not
    independent.
    """
    a, b = np.asarray(passed_a_P, dtype=bool), np.asarray(passed_b_P, dtype=bool)
    if a.shape != b.shape or a.ndim != 1:
        raise DataError(f"a paired test needs two vectors of one length, got {a.shape} and {b.shape}")
    return mcnemar_counts(
        both=int((a & b).sum()),
        only_a=int((a & ~b).sum()),
        only_b=int((~a & b).sum()),
        neither=int((~a & ~b).sum()),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm step-down adjusted p-values of one family, in the order given."""
    if not p_values:
        return []
    _, adjusted, _, _ = multipletests(list(p_values), method="holm")
    return [float(p) for p in adjusted]
