"""Figures 2a and 2b: what alignment does to embeddings and predictions, and what the paper leaves out.

Figure 2a shows the squared error at masked and unmasked positions, with the accuracy at unmasked positions
beside it. Figure 2b shows the cross-entropy at masked positions against the pretrained model, with two
curves beside it that a model can lose while both of the paper's curves look fine: the cross-entropy on
held-out real answers and the full-budget pass rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

from xpflow.reporting.plots.style import (
    GREEN,
    GREY,
    INK,
    OLIVE,
    ORANGE,
    PURPLE,
    draw,
    figure,
    note,
    over_seeds,
    save,
)

# variant -> colour (none of a decoder's), lighter one, line width (the second lies on the first where both
# agree)
LOOKS = {"paper": (PURPLE, "#E3B8CF", 2.4), "preserving": (GREEN, "#8CD3BC", 1.3)}
OTHER_COLORS = (OLIVE, ORANGE, INK)  # of further variants, in the order of their names
DASHED, DOTTED = (0, (4, 1.5)), (0, (1, 1.2))
HEIGHT_PER_MODEL = 2.0
SMALLEST_ERROR = 1e-4


def figure_2a(log: pd.DataFrame, folder: Path, formats: Sequence[str] = ("png", "pdf")) -> list[Path]:
    """Draw squared error by update (paper's Figure 2a) and accuracy at unmasked positions."""
    models, hues = list(dict.fromkeys(log["model"])), looks(log)
    log = log.assign(wrong=(1 - log["acc_unmasked"]).clip(lower=SMALLEST_ERROR))
    with figure(height=0.6 + HEIGHT_PER_MODEL * len(models), nrows=len(models), ncols=2) as (drawing, axes):
        for (left, right), model in zip(axes, models, strict=True):
            for variant, rows in variants(log[log["model"] == model]):
                color, light, width = hues[variant]
                masked, unmasked, wrong = (
                    over_seeds(rows, "update", field) for field in ("mse_masked", "mse_unmasked", "wrong")
                )
                draw(left, masked, "update", light, linestyle=DASHED, linewidth=width, marker="")
                draw(left, unmasked, "update", color, linewidth=width, marker="")
                draw(right, wrong, "update", color, linewidth=width, marker="")
            left.set_yscale("log")
            _accuracy_axis(right)
            _label(left, f"{model}: error of the predicted embedding", "squared error (log scale)")
            _label(right, f"{model}: accuracy, unmasked positions", "accuracy (log of error)")
        _legend(drawing, log, [("masked positions", DASHED), ("unmasked positions", "-")])
        note(drawing, "Left: Figure 2a of the paper. Right: not in the paper. Bands: extremes over seeds.")
        return save(drawing, folder, "figure_2a", formats)


def figure_2b(log: pd.DataFrame, folder: Path, formats: Sequence[str] = ("png", "pdf")) -> list[Path]:
    """Draw masked cross-entropy (paper's Figure 2b), held-out cross-entropy and full-budget pass rate."""
    models, hues = list(dict.fromkeys(log["model"])), looks(log)
    with figure(height=0.6 + HEIGHT_PER_MODEL * len(models), nrows=len(models), ncols=3) as (drawing, axes):
        for row, model in zip(axes, models, strict=True):
            here = log[log["model"] == model]
            for variant, rows in variants(here):
                color, _, width = hues[variant]
                for panel, field in zip(row, ("ce_masked", "ce_heldout", "pass_full"), strict=True):
                    marker = {} if field == "pass_full" else {"marker": ""}
                    curve = over_seeds(rows, "update", field)
                    draw(panel, curve, "update", color, linewidth=width, **marker)
            _reference(row[0], float(here["ce_masked_base"].mean()))
            _reference(row[1], float(here.loc[here["update"] == here["update"].min(), "ce_heldout"].mean()))
            _label(row[0], f"{model}: own answers", "cross-entropy, masked (nats)")
            _label(row[1], "held-out real answers", "cross-entropy, masked (nats)")
            _label(row[2], "full-budget pass rate", "problems solved")
            row[2].yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            row[2].set_ylim(0, min(1.02, 1.1 * _largest(here, "pass_full")))
        _legend(drawing, log, [("pretrained model", DOTTED)])
        note(
            drawing,
            "Left: Figure 2b of the paper. Middle and right: not in the paper. Bands: extremes over seeds.",
        )
        return save(drawing, folder, "figure_2b", formats)


def _largest(log: pd.DataFrame, field: str) -> float:
    known = field in log and bool(log[field].notna().any())
    return max(0.05, float(log[field].max())) if known else 1.0


def variants(log: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the variants with their rows, the known ones first."""
    order = [*LOOKS, *sorted(set(log["variant"]) - set(LOOKS))]
    return [(name, log[log["variant"] == name]) for name in order if (log["variant"] == name).any()]


def looks(log: pd.DataFrame) -> dict[str, tuple[str, str, float]]:
    """Return colour, lighter colour and line width of each variant."""
    others = sorted(set(log["variant"]) - set(LOOKS))
    return LOOKS | {
        name: (OTHER_COLORS[place % len(OTHER_COLORS)], GREY, 1.0) for place, name in enumerate(others)
    }


def variant_label(name: str) -> str:
    """Return what the runs of a variant are called."""
    return "paper's loss" if name == "paper" else f"{name} variant"


def _accuracy_axis(axes: Any) -> None:
    """Show an error as accuracy on a logarithmic axis: .947 and .996 are far apart for a decoder."""
    axes.set_yscale("log")
    axes.invert_yaxis()
    axes.yaxis.set_major_formatter(FuncFormatter(lambda error, _: f"{100 * (1 - error):g}%"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _reference(axes: Any, value: float) -> None:
    if isfinite(value):
        axes.axhline(value, color=INK, linewidth=1.1, linestyle=DOTTED, zorder=1.5)


def _label(axes: Any, title: str, y_label: str) -> None:
    if not axes.lines:
        axes.text(0.5, 0.5, "not logged", transform=axes.transAxes, ha="center", color=GREY)
    axes.set_title(title)
    axes.set_ylabel(y_label)
    axes.set_xlabel("update")
    axes.margins(x=0.02)


def _legend(drawing: Any, log: pd.DataFrame, styles: list[tuple[str, Any]]) -> None:
    hues = looks(log)
    handles = [Line2D([], [], color=hues[name][0], label=variant_label(name)) for name, _ in variants(log)]
    handles += [
        Line2D([], [], color=INK, linestyle=style, linewidth=1.2, label=label) for label, style in styles
    ]
    drawing.legend(handles=handles, loc="outside upper center", ncols=len(handles))
