"""The budget sweep: accuracy against budget and against executed NFE, a panel per model and benchmark.

Hue and marker name the decoder, in every figure the same; the shade its settings; line style and filling the
weights: solid base, dashed aligned. Every curve has its name beside it. An arm run at one budget is a lone
marker. The first figure has at most seven arms: the two that the study is about, then those run at most
budgets; a study of more arms has a second one for the rest and for the ablations.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator, PercentFormatter

from xpflow.budget import budget_text
from xpflow.reporting.plots.labels import Label, label_ends
from xpflow.reporting.plots.style import MARKERS, OWN_HUE, PALETTES, figure, note, save
from xpflow.reporting.report_spec import ArmSpec, ReportPlan
from xpflow.reporting.results import Outcomes
from xpflow.study.stages import MOST_SERIES

Axis = Literal["budget", "nfe"]
AXES: tuple[Axis, ...] = ("budget", "nfe")
REST = "_rest"  # the ending of the second figure's name
DASHES: dict[str, Any] = {"base": "-", "paper": (0, (4, 1.5))}
OTHER_WEIGHTS: Any = (0, (1, 1.2))


def sweep_points(plan: ReportPlan, outcomes: Outcomes, arms: Sequence[str] | None = None) -> pd.DataFrame:
    """Return one row per model, benchmark, arm and budget: mean, extremes over seeds, Wilson, NFE, counts.

    `arms` by name; without it all but the ablations.
    """
    ablated = set(plan.ablation_arms.values())
    wanted = [arm.name for arm in plan.arms if arm.name not in ablated] if arms is None else arms
    places = [(model.name, benchmark) for model in plan.models for benchmark in plan.benchmarks]
    cells = [
        (*place, arm, budget)
        for arm in wanted
        for place in places
        for budget in plan.budgets
        if plan.has(*place, arm, budget)
    ]
    return pd.DataFrame([_point(plan, outcomes, cell) for cell in cells])


def places_of(plan: ReportPlan, points: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the models and benchmarks that have points, in the study's order."""
    there = set(zip(points["model"], points["benchmark"], strict=True))
    places = [(model.name, benchmark) for model in plan.models for benchmark in plan.benchmarks]
    return [place for place in places if place in there]


def sweep_figures(plan: ReportPlan, outcomes: Outcomes) -> dict[str, pd.DataFrame]:
    """Return the points of the first figure under "", of the second, if there is one, under REST."""
    arms = [arm.name for arm in plan.arms if any(row.arm == arm.name for row in plan.rows)]
    ablated = set(plan.ablation_arms.values())
    main = _main(plan, [name for name in arms if name not in ablated])
    found = {"": sweep_points(plan, outcomes, main)}
    if len(arms) > MOST_SERIES:
        found[REST] = sweep_points(plan, outcomes, [name for name in arms if name not in main])
    return found


def _main(plan: ReportPlan, arms: Sequence[str]) -> list[str]:
    """Return at most MOST_SERIES arms, in the study's order."""
    budgets = {arm: len({row.budget for row in plan.rows if row.arm == arm}) for arm in arms}
    order = sorted(arms, key=lambda arm: (arm not in (plan.flow, plan.baseline), -budgets[arm]))
    return [arm for arm in arms if arm in order[:MOST_SERIES]]


def figure_sweep(
    plan: ReportPlan,
    points: pd.DataFrame,
    axis: Axis,
    folder: Path,
    formats: Sequence[str] = ("png", "pdf"),
    ending: str = "",
) -> list[Path]:
    """Draw a panel per model and benchmark: accuracy against the budget, or against the mean executed NFE."""
    places = places_of(plan, points)
    looks = arm_looks(plan, [arm for arm in plan.arms if arm.name in set(points["arm"])])
    height = max(1.9, 0.55 + 0.15 * len(looks))
    with figure(height=0.4 + height * len(places), nrows=len(places)) as (drawing, axes):
        for panel, (model, benchmark) in zip(axes[:, 0], places, strict=True):
            here = points[(points["model"] == model) & (points["benchmark"] == benchmark)]
            ends = []
            for place, (name, look) in enumerate(looks.items()):
                rows = here[here["arm"] == name].sort_values("budget")
                shift = _dodge(place, len(looks)) if axis == "budget" else 0.0
                rows = rows.assign(x=rows[axis] * 2**shift)
                _curve(panel, rows, look)
                mark = {**_mark(look), "linestyle": look["linestyle"]}
                ends += [Label(look["label"], mark, last.x, last.mean) for last in rows[-1:].itertuples()]
            _dress(panel, axis, plan.budgets, here)
            label_ends(panel, ends)
            panel.set_title(f"{model}, {benchmark}")
            panel.set_ylabel("problems solved")
        note(
            drawing,
            f"Bands: extremes over seeds. Bars: {100 * plan.confidence:g} % Wilson interval over problems. "
            "Square brackets: weights.",
        )
        return save(drawing, folder, f"sweep_{axis}{ending}", formats)


def arm_looks(plan: ReportPlan, arms: Sequence[ArmSpec]) -> dict[str, dict[str, Any]]:
    """Return the look of each arm; within a decoder every further label has a shade of its own."""
    ordered = [plan.arm(plan.flow), *plan.arms]  # the headline arm gets the first shade of its decoder
    families = list(dict.fromkeys([*OWN_HUE, *(arm.decoder for arm in plan.arms)]))
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
    frame, rates_S = outcomes.frame(*key), outcomes.passed(*key).mean(axis=1)
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
        "passes": stats.rate.passes,
        "answers": stats.rate.answers,
        "seeds": stats.seeds,
        "seed_rates": tuple(float(rate) for rate in rates_S),
        "seed_nfe": tuple(float(nfe) for nfe in frame.groupby("seed", sort=True)["nfe"].mean()),
    }


def _dodge(place: int, count: int) -> float:
    """Return a small shift in powers of two, so that bars at one budget stand side by side."""
    return 0.02 * (place - (count - 1) / 2)


def _mark(look: dict[str, Any]) -> dict[str, Any]:
    """Return how an arm's marks are drawn: filled for base weights."""
    face = look["color"] if look["filled"] else "white"
    return {
        "color": look["color"],
        "marker": look["marker"],
        "markerfacecolor": face,
        "markeredgewidth": 1.1,
        "markersize": 4.5,
    }


def _curve(axes: Any, points: pd.DataFrame, look: dict[str, Any]) -> None:
    if points.empty:
        return
    color = look["color"]
    bars = [points["mean"] - points["wilson_low"], points["wilson_high"] - points["mean"]]
    axes.errorbar(points["x"], points["mean"], bars, fmt="none", ecolor=color, elinewidth=0.7, alpha=0.45)
    axes.plot(points["x"], points["mean"], linestyle=look["linestyle"], label=look["label"], **_mark(look))
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
