"""One decode as a picture: tokens by steps, colour = progress t, a mark for each event of the decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from xpflow.decoding.entry import Event
from xpflow.decoding.trace import Trace
from xpflow.errors import DataError
from xpflow.reporting.plots.style import INK, ORANGE, PURPLE, VERMILION, WIDTH_INCH, figure, save
from xpflow.traces.view import views

SHADES = ["#F4F4F2", "#BFD7EA", "#5B9BD0", "#0072B2", "#053A63"]  # mask to token
PROGRESS = LinearSegmentedColormap.from_list("progress", SHADES)
STROKES = (VERMILION, PURPLE, ORANGE)
MAX_TOKENS = 64
_VISIBLE = {"\n": "\\n", " ": "·", "\t": "\\t"}


@dataclass(frozen=True, slots=True)
class TracePicture:
    """L steps by N tokens; t_LN: progress after the step; tokens: the final text of each position.

    events: those that are drawn, each with where it happened `[L, N]`; later ones lie on top.
    """

    title: str
    tokens: tuple[str, ...]
    t_LN: NDArray[np.float64]
    events: tuple[tuple[Event, NDArray[np.bool_]], ...]


def picture(
    trace: Trace, token_text: Callable[[int], str], title: str, end_ids: Sequence[int] = ()
) -> TracePicture:
    """Turn a trace into what is drawn; positions behind the first end token are left out.

    token_text: the text of one token id. Raises DataError for a trace without steps.
    """
    ids, shown = [int(token) for token in trace.head["tokens"]], list(views(trace))
    if not shown:
        raise DataError("the trace has no steps")
    ends = [place for place, token in enumerate(ids) if token in set(end_ids)]
    width = min(MAX_TOKENS, len(ids), ends[0] + 1 if ends else len(ids))
    drawn = [event for event in trace.events if event.mark]
    return TracePicture(
        title=title,
        tokens=tuple(visible(token_text(token)) for token in ids[:width]),
        t_LN=np.array([view.t[:width] for view in shown], dtype=np.float64),
        events=tuple(
            (event, np.array([view.events[event.name][:width] for view in shown])) for event in drawn
        ),
    )


def visible(text: str) -> str:
    """Return token text with its white space made visible, runs of blanks as a count."""
    blanks = len(text) - len(text.lstrip(" "))
    body = "".join(_VISIBLE.get(character, character) for character in text[blanks:])
    head = f"·×{blanks}" if blanks > 2 else "·" * blanks
    return head + body


def figure_trace(
    picture: TracePicture, folder: Path, formats: Sequence[str] = ("png", "pdf"), name: str = "trace"
) -> list[Path]:
    """Draw a trace; the last row holds the final tokens."""
    n_steps, n_tokens = picture.t_LN.shape
    longest = max(map(len, picture.tokens))
    foot = 0.6 + 0.31 * longest  # height of the token row, in steps
    with figure(height=1.0 + 0.19 * (n_steps + foot)) as (drawing, grid):
        axes = grid[0, 0]
        axes.grid(False)
        mesh = axes.pcolormesh(
            np.arange(n_tokens + 1) - 0.5,
            np.arange(n_steps + 1) + 0.5,
            picture.t_LN,
            cmap=PROGRESS,
            vmin=0,
            vmax=1,
            edgecolors="white",
            linewidth=0.6,
        )
        side = min(26.0, (0.45 * 72 * WIDTH_INCH / (n_tokens + 4)) ** 2 / 3)
        strokes = iter(STROKES)
        for event, where_LN in picture.events:
            steps, tokens = np.nonzero(where_LN)
            axes.scatter(tokens, steps + 1, zorder=3, s=side, **_look(event, strokes))
        _token_row(axes, picture, n_steps, foot)
        axes.set_ylim(n_steps + 0.6 + foot, 0.5)
        axes.set_title(picture.title)
        axes.set_xlabel("response position")
        axes.set_ylabel("step (one forward pass)")
        axes.set_yticks(_step_ticks(n_steps))
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        bar = drawing.colorbar(
            mesh, ax=axes, fraction=0.022, pad=0.015, anchor=(0, 1.0), shrink=0.75, ticks=[0, 0.5, 1]
        )
        bar.outline.set_visible(False)
        bar.ax.tick_params(length=0)
        bar.set_label("progress t (0 mask, 1 token)")
        drawing.legend(handles=legend_handles(picture), loc="outside upper right", ncols=4)
        return save(drawing, folder, name, formats)


def _look(event: Event, strokes: Iterator[str]) -> dict[str, Any]:
    """Return how an event's mark is drawn: filled ones white, those that are mere strokes in a colour."""
    if event.mark in Line2D.filled_markers:
        return {"marker": event.mark, "facecolor": "white", "edgecolor": INK, "linewidth": 0.6}
    return {"marker": event.mark, "color": next(strokes), "linewidth": 1.4}


def _token_row(axes: Any, picture: TracePicture, n_steps: int, foot: float) -> None:
    size = 7.5 if len(picture.tokens) <= 36 else 5.5
    axes.add_patch(
        Rectangle((-0.5, n_steps + 0.6), len(picture.tokens), foot, facecolor="#FAFAF8", linewidth=0)
    )
    for place, token in enumerate(picture.tokens):
        axes.text(
            place,
            n_steps + 0.75,
            token,
            rotation=90,
            ha="center",
            va="top",
            family="DejaVu Sans Mono",
            fontsize=size,
            color=INK,
            parse_math=False,
        )


def _step_ticks(n_steps: int) -> list[int]:
    gap = 1 if n_steps <= 16 else 4
    return [1, *range(gap if gap > 1 else 2, n_steps + 1, gap)]


def legend_handles(picture: TracePicture) -> list[Any]:
    """Return a handle of the legend for every event that is drawn."""
    dot: dict[str, Any] = {"linestyle": "", "markersize": 4.5}
    strokes, handles = iter(STROKES), []
    for event, _ in picture.events:
        look = _look(event, strokes)
        if "color" in look:
            line = {"color": look["color"], "markeredgewidth": look["linewidth"]}
        else:
            line = {"markerfacecolor": "white", "markeredgecolor": INK}
        handles.append(Line2D([], [], marker=event.mark, label=event.label, **line, **dot))
    return handles
