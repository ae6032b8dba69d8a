"""The one picture of a study: its first claims as intervals around zero, or around the paper's ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, isfinite

from xpflow.reporting.claims import Claim
from xpflow.reporting.claims_told import measured, unit_of
from xpflow.reporting.markup import number
from xpflow.reporting.page.story import look_of

LEFT, RIGHT = 2.0, 98.0  # ends of the scale in percent of its width
MOST = 16  # bars


@dataclass(frozen=True, slots=True)
class Bar:
    """A claim: places of its interval's ends, its value and the paper's, in percent of the scale's width."""

    label: str
    number: str
    word: str
    look: str
    low: float
    high: float
    value: float
    paper: float | None


@dataclass(frozen=True, slots=True)
class Forest:
    """The picture: bars from top to bottom, the scale's ticks, and the same in a sentence."""

    title: str
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    zero: float
    text: str


def forest(claims: Sequence[Claim], titles: dict[str, str]) -> Forest | None:
    """Return the picture of the first family of differences that a study has; None where it has none.

    `titles` has what each family is called.
    """
    for family, title in titles.items():
        found = [claim for claim in claims if claim.family == family and _drawable(claim)][:MOST]
        if found:  # of one unit, as one scale has
            return _drawn(title, [claim for claim in found if claim.unit == found[0].unit])
    return None


def _drawable(claim: Claim) -> bool:
    return claim.family != "recovery" and all(map(isfinite, (claim.low, claim.ours, claim.high)))


def _drawn(title: str, claims: Sequence[Claim]) -> Forest:
    values = [value for one in claims for value in (one.low, one.high, one.paper, 0.0) if value is not None]
    step = _step(max(values) - min(values))
    low, high = step * floor(min(values) / step), step * -floor(-max(values) / step)
    high = max(high, low + step)

    def place(value: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * (value - low) / (high - low), 2)

    ticks = [low + step * count for count in range(round((high - low) / step) + 1)]
    several = len({one.text for one in claims}) > 1
    bars = tuple(
        Bar(
            f"{one.model}, {one.benchmark}" + (f": {one.text}" if several else ""),
            measured(one),
            one.word,
            look_of(one.word),
            place(one.low),
            place(one.high),
            place(one.ours),
            None if one.paper is None else place(one.paper),
        )
        for one in claims
    )
    said = [f"{bar.label}: {bar.number}, {bar.word}" for bar in bars]
    unit = unit_of(claims[0])[0]
    return Forest(
        title,
        bars,
        tuple((place(tick), number(tick, "+" if tick else "").removesuffix(".0")) for tick in ticks),
        place(0.0),
        f"Differences in {unit} with their intervals. {'; '.join(said)}.",
    )


def _step(width: float) -> float:
    """Return a round step that gives a scale of this width about five ticks."""
    return next(step for step in (1, 2, 5, 10, 20, 50, 100, 200) if width / step <= 6 or step == 200)
