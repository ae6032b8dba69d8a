"""The budget sweep: accuracy against budget and against the NFE that really ran, both models and benchmarks.

Marker and hues name the decoder, line style the weights: solid base, dashed aligned. Decoders get theirs in
the order in which they appear in the study. An arm run at one budget is a lone marker.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator, PercentFormatter

from xpflow.budget import budget_text
from xpflow.reporting.plots.style import MARKERS, PALETTES, figure, note, save
from xpflow.reporting.report_spec import ArmSpec, ReportPlan
from xpflow.reporting.results import Outcomes

Axis = Literal["budget", "nfe"]
DASHES: dict[str, Any] = {"base": "-", "paper": (0, (4, 1.5))}
OTHER_WEIGHTS: Any = (0, (1, 1.2))


def sweep_points(plan: ReportPlan, outcomes: Outcomes) -> pd.DataFrame:
    """Return one row per model, benchmark, arm and budget: mean, extremes over seeds, Wilson ends, NFE."""
    ablated = set(plan.ablation_arms.values())
    rows = []
    for arm in plan.arms:
        places = [(model.name, benchmark) for model in plan.models for benchmark in plan.benchmarks]
        for model, benchmark in places if arm.name not in ablated else []:
            for budget in plan.budgets:
                if plan.has(model, benchmark, arm.name, budget):
                    rows.append(_point(plan, outcomes, (model, benchmark, arm.name, budget)))
    return pd.DataFrame(rows)


def figure_sweep(
    plan: ReportPlan, points: pd.DataFrame, axis: Axis, folder: Path, formats: Sequence[str] = ("png", "pdf")
) -> list[Path]:
    """Draw a panel per model and benchmark: accuracy against the budget, or against the mean executed NFE."""
    models, benchmarks = [model.name for model in plan.models], plan.benchmarks
    looks = arm_looks(plan, [arm for arm in plan.arms if arm.name in set(points["arm"])])
    size = {
        "height": 0.7 + 0.1 * len(looks) + 2.3 * len(models),
        "nrows": len(models),
        "ncols": len(benchmarks),
    }
    with figure(**size, sharey="row") as (drawing, axes):
        for row, model in zip(axes, models, strict=True):
            for panel, benchmark in zip(row, benchmarks, strict=True):
                here = points[(points["model"] == model) & (points["benchmark"] == benchmark)]
                for place, (name, look) in enumerate(looks.items()):
                    rows = here[here["arm"] == name].sort_values("budget")
                    shift = _dodge(place, len(looks)) if axis == "budget" else 0.0
                    _curve(panel, rows.assign(x=rows[axis] * 2**shift), look)
                _dress(panel, axis, plan.budgets, here)
                panel.set_title(f"{model}, {benchmark}")
            row[0].set_ylabel("problems solved")
        handles, labels = _legend_entries(axes)
        drawing.legend(handles, labels, loc="outside upper center", ncols=2)
        note(
            drawing,
            f"Bands: extremes over seeds. Bars: {100 * plan.confidence:g} % Wilson interval over problems.",
        )
        return save(drawing, folder, f"sweep_{axis}", formats)


def arm_looks(plan: ReportPlan, arms: Sequence[ArmSpec]) -> dict[str, dict[str, Any]]:
    """Return the look of each arm; within a decoder every further label has a hue of its own."""
    ordered = [plan.arm(plan.flow), *arms]  # the headline arm gets the first hue of its decoder
    families = list(dict.fromkeys(arm.decoder for arm in plan.arms))
    looks: dict[str, dict[str, Any]] = {}
    for arm in arms:
        place = families.index(arm.decoder)
        hues = PALETTES[place % len(PALETTES)]
        labels = list(dict.fromkeys(other.label for other in ordered if other.decoder == arm.decoder))
        looks[arm.name] = {
            "color": hues[labels.index(arm.label) % len(hues)],
            "marker": MARKERS[place % len(MARKERS)],
            "linestyle": DASHES.get(arm.weights, OTHER_WEIGHTS),
            "label": f"{arm.label} [{arm.weights_label}]",
            "filled": arm.weights == "base",
        }
    return looks


def _point(plan: ReportPlan, outcomes: Outcomes, key: tuple[str, str, str, Fraction]) -> dict[str, Any]:
    stats = outcomes.stats(*key, plan.confidence)
    rates_S = outcomes.passed(*key).mean(axis=1)
    return {
        "model": key[0],
        "benchmark": key[1],
        "arm": key[2],
        "budget": float(key[3]),
        "nfe": stats.nfe,
        "mean": stats.rate.mean,
        "low": float(rates_S.min()),
        "high": float(rates_S.max()),
        "wilson_low": stats.rate.interval.low,
        "wilson_high": stats.rate.interval.high,
    }


def _dodge(place: int, count: int) -> float:
    """Return a small shift in powers of two, so that bars at one budget stand side by side."""
    return 0.02 * (place - (count - 1) / 2)


def _curve(axes: Any, points: pd.DataFrame, look: dict[str, Any]) -> None:
    if points.empty:
        return
    color, face = look["color"], look["color"] if look["filled"] else "white"
    bars = [points["mean"] - points["wilson_low"], points["wilson_high"] - points["mean"]]
    axes.errorbar(points["x"], points["mean"], bars, fmt="none", ecolor=color, elinewidth=0.7, alpha=0.45)
    axes.plot(
        points["x"],
        points["mean"],
        color=color,
        linestyle=look["linestyle"],
        marker=look["marker"],
        markerfacecolor=face,
        markeredgewidth=1.1,
        label=look["label"],
    )
    if len(points) > 1 and (points["high"] > points["low"]).any():
        axes.fill_between(points["x"], points["low"], points["high"], color=color, alpha=0.15, linewidth=0)


def _dress(axes: Any, axis: Axis, budgets: Sequence[Fraction], points: pd.DataFrame) -> None:
    axes.set_xscale("log", base=2)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_ylim(0, max(0.05, min(1.02, 1.08 * float(points["wilson_high"].max()))))
    if axis == "budget":
        axes.xaxis.set_major_locator(FixedLocator([float(budget) for budget in budgets]))
        axes.set_xticks([float(budget) for budget in budgets], [budget_text(budget) for budget in budgets])
        axes.set_xlabel("budget (steps / N)")
        return
    ticks = [
        2**power for power in range(12) if points["nfe"].min() / 1.5 <= 2**power <= points["nfe"].max() * 1.5
    ]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xlabel("mean executed NFE")


def _legend_entries(axes: Any) -> tuple[list[Any], list[str]]:
    entries: dict[str, Any] = {}
    for panel in axes.flat:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    return list(entries.values()), list(entries)
