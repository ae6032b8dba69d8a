"""Names beside curves, in place of a legend: each at the right of its panel, with its curve's mark and a thin
line to the curve's end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xpflow.reporting.plots.style import INK

SIZE = 6.5  # points
LINE = 1.3  # heights of a letter from one label to the next
# Where a label's piece of curve and its text are, in widths of the panel.
MARK, OUTSIDE = (1.03, 1.05, 1.07), 1.08


@dataclass(frozen=True, slots=True)
class Label:
    """A curve's name, the look of its mark, and where the curve ends, in the panel's numbers."""

    text: str
    look: dict[str, Any]
    x: float
    y: float


def label_ends(axes: Any, labels: Sequence[Label]) -> None:
    """Write each label at the height of its curve's end, or as near as others leave room; limits are set."""
    low, high = axes.get_ylim()
    heights = [min(1.0, max(0.0, (label.y - low) / (high - low))) for label in labels]
    inches = axes.get_position().height * axes.figure.get_size_inches()[1]
    places = spread(heights, SIZE * LINE / (72 * inches))
    for label, place in zip(labels, places, strict=True):
        color = label.look["color"]
        axes.annotate(
            "",
            xy=(label.x, label.y),
            xytext=(MARK[0], place),
            textcoords="axes fraction",
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.5, "alpha": 0.45, "shrinkB": 0},
            annotation_clip=False,
        )
        outside = {"transform": axes.transAxes, "clip_on": False}
        axes.plot(MARK, [place] * len(MARK), markevery=[1], **outside, **label.look)
        axes.text(
            OUTSIDE, place, label.text, **outside, va="center", fontsize=SIZE, color=INK, parse_math=False
        )


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Return heights in the same order, none nearer to another than `gap`, each near its own."""
    order = sorted(range(len(heights)), key=lambda place: heights[place])
    groups: list[tuple[list[int], float]] = []  # neighbours that touch, and the height of their middle
    for place in order:
        members, middle = [place], heights[place]
        while groups and middle - groups[-1][1] < gap * (len(members) + len(groups[-1][0])) / 2:
            others, other = groups.pop()
            total = len(others) + len(members)
            middle = (other * len(others) + middle * len(members)) / total
            members = [*others, *members]
        groups.append((members, middle))
    found = {
        place: middle + gap * (number - (len(members) - 1) / 2)
        for members, middle in groups
        for number, place in enumerate(members)
    }
    return [found[place] for place in range(len(heights))]
