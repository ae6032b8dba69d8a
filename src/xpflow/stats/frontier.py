"""Accuracy against forwards: a decoder's settings as a curve, chosen on validation problems, read on others.

Between two settings lies a decoder that takes one of them at random for each problem: its accuracy and its
mean NFE are the same mixture of theirs. So linear interpolation in NFE is attainable, and outcomes at any NFE
are shares per problem, which pair as verdicts do. Legend: S seeds, P problems, K settings; b = NFE / N.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
GRID = 65  # places of the area under a curve, evenly spaced in log2 b
AUP_ALPHA, AUP_FALL = (
    3.0,
    0.05,
)  # of d3LLM's measure: its weight, and the fall after which points are left out


@dataclass(frozen=True, slots=True)
class Point:
    """One setting: outcomes [S, P] (0, 1, or shares of samples) and the NFE of each answer, [S, P]."""

    label: str
    passed_SP: Floats
    nfe_SP: Floats

    @property
    def accuracy(self) -> float:
        """Return the mean pass rate."""
        return float(self.passed_SP.mean())

    @property
    def nfe(self) -> float:
        """Return the mean NFE."""
        return float(self.nfe_SP.mean())


@dataclass(frozen=True, slots=True)
class Mixture:
    """Two settings by number, and the share of the first: what stands at one place of a curve."""

    first: int
    second: int
    share: float

    def of(self, points: Sequence[Point]) -> Point:
        """Return the outcomes of the mixture on some problems."""
        a, b = points[self.first], points[self.second]
        label = a.label if self.share == 1 or self.first == self.second else f"{a.label} | {b.label}"
        passed_SP = self.share * a.passed_SP + (1 - self.share) * b.passed_SP
        return Point(label, passed_SP, self.share * a.nfe_SP + (1 - self.share) * b.nfe_SP)


def front(points: Sequence[Point]) -> list[int]:
    """Return the settings that no cheaper or equally cheap one matches, by number, cheapest first."""
    order = sorted(range(len(points)), key=lambda k: (points[k].nfe, -points[k].accuracy, k))
    kept: list[int] = []
    for k in order:
        if not kept or points[k].accuracy > points[kept[-1]].accuracy:
            kept.append(k)
    return kept


def at_nfe(points: Sequence[Point], nfe: float) -> Mixture | None:
    """Return the mixture of neighbours on the front whose mean NFE is this; None below the cheapest.

    Above the dearest it is that one: more forwards are allowed than it takes.
    """
    kept = front(points)
    below = [k for k in kept if points[k].nfe <= nfe]
    if not below:
        return None
    first = below[-1]
    if first == kept[-1]:
        return Mixture(first, first, 1.0)
    second = kept[kept.index(first) + 1]
    share = (points[second].nfe - nfe) / (points[second].nfe - points[first].nfe)
    return Mixture(first, second, float(share))


def at_accuracy(points: Sequence[Point], accuracy: float) -> Mixture | None:
    """Return the cheapest mixture on the front with at least this accuracy; None where there is none."""
    kept = front(points)
    for before, k in zip([None, *kept], kept, strict=False):
        if points[k].accuracy < accuracy:
            continue
        if before is None:
            return Mixture(k, k, 1.0)
        share = (points[k].accuracy - accuracy) / (points[k].accuracy - points[before].accuracy)
        return Mixture(before, k, float(share))
    return None


def area(chosen_on: Sequence[Point], read_on: Sequence[Point], length: int, lowest: float) -> Point:
    """Return the area under a curve over log2 b in [log2 lowest, 0], as outcomes per problem, in [0, 1].

    A place that no setting is cheap enough for counts as 0. The NFE is the mean over the places that count.
    """
    places = np.exp2(np.linspace(np.log2(lowest), 0.0, GRID))
    weights = np.full(GRID, 1.0)
    weights[[0, -1]] = 0.5  # trapezoids
    passed_SP, nfe_SP, total = np.zeros_like(read_on[0].passed_SP), np.zeros_like(read_on[0].nfe_SP), 0.0
    for place, weight in zip(places, weights, strict=True):
        if (mixture := at_nfe(chosen_on, place * length)) is not None:
            found = mixture.of(read_on)
            passed_SP, nfe_SP, total = (
                passed_SP + weight * found.passed_SP,
                nfe_SP + weight * found.nfe_SP,
                total + weight,
            )
    return Point("area", passed_SP / weights.sum(), nfe_SP / max(total, 1.0))


def recovery(passed_SP: Floats, reference_SP: Floats) -> float:
    """Return the share of the problems that the reference solves which are solved here too; NaN for none."""
    solved = np.broadcast_to(reference_SP, np.broadcast_shapes(passed_SP.shape, reference_SP.shape))
    total = float(solved.sum())
    return float((passed_SP * solved).sum()) / total if total else float("nan")


def aup(points: Sequence[Point], length: int, best: float) -> float:
    """Return d3LLM's AUP (arXiv 2601.07568): % times tokens per forward, canvas tokens as numerator.

    With rho = N / NFE and y the accuracy in percent: rho_1 y_1 + the trapezoids of y W(y), where W(y) =
    min(1, exp(-3 (1 - y / best))); points more than five points below the first are left out. Its first
    rectangle carries no weight: one fast and bad point can beat a whole good curve. Never to be read alone.

    Args:
        best: the highest accuracy of all methods, as a share.
    """
    found = sorted((length / point.nfe, 100 * point.accuracy) for point in points)
    kept = [(rho, y) for rho, y in found if y >= found[0][1] - 100 * AUP_FALL]
    weighted = [
        (rho, y * min(1.0, float(np.exp(-AUP_ALPHA * (1 - y / (100 * best)))) if best else 0.0))
        for rho, y in kept
    ]
    parts = pairwise(weighted)
    return kept[0][0] * kept[0][1] + sum((b - a) * (ya + yb) / 2 for (a, ya), (b, yb) in parts)
