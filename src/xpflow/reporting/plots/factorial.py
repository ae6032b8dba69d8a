"""The parts of decoders: main effects with intervals, and gains shared out by Shapley's value."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xpflow.reporting.cells import EffectRead, Factored, change_text, effects, gains
from xpflow.reporting.plots.style import BLUE, GREY, INK, PALETTES, figure, note, save
from xpflow.reporting.report_spec import ReportPlan
from xpflow.stats.factorial import Gain
from xpflow.study.config import StudyConfig

ROW = 0.2  # inches of one effect


def figure_factorial(
    config: StudyConfig, plan: ReportPlan, places: Sequence[Factored], folder: Path, formats: Sequence[str]
) -> list[Path]:
    """Draw the main effects and the shared gains of every model and benchmark; returns the paths."""
    alone = [one for one in effects(config, plan, places) if len(one.effect.changes) == 1]
    shared = gains(config, plan, places)
    rows = max(1, *(sum(one.place is place for one in alone) for place in places))
    with figure(
        height=0.5 + len(places) * (0.7 + ROW * rows), nrows=len(places), ncols=2, width_ratios=(1.25, 1.0)
    ) as (drawing, axes):
        for (left, right), place in zip(axes, places, strict=True):
            _effects(left, config, plan, [one for one in alone if one.place is place])
            left.set_title(place.where)
            here = [(path.name, found) for where, path, found in shared if where is place]
            _shares(right, config, [(name, found) for name, found in here if found is not None])
        note(
            drawing,
            f"Points at equal mean NFE, with {100 * plan.confidence:g} % intervals over problems; filled: "
            "survives Holm's correction over all effects and interactions. Right: Shapley values of a gain.",
        )
        return save(drawing, folder, "factorial", formats)


def _effects(panel: Any, config: StudyConfig, plan: ReportPlan, found: Sequence[EffectRead]) -> None:
    names = [change_text(config.factorial, one.effect.changes) for one in found]
    for height, one in enumerate(found):
        value, interval = 100 * one.effect.estimate.value, one.effect.estimate.interval.scaled(100)
        survives = one.holm_p <= 1 - plan.confidence
        panel.plot([interval.low, interval.high], [height, height], color=BLUE, linewidth=1.1)
        panel.plot(
            [value], [height], "o", color=BLUE, markersize=4.5, fillstyle="full" if survives else "none"
        )
    panel.axvline(0.0, color=GREY, linewidth=0.8)
    panel.set_yticks(range(len(names)), names, fontsize=6.5)
    panel.set_ylim(len(names) - 0.4, -0.6)
    panel.grid(visible=False, axis="y")
    panel.set_xlabel("effect, points")


def _shares(panel: Any, config: StudyConfig, found: Sequence[tuple[str, Gain]]) -> None:
    names = config.factorial.names
    bars = [(gain, f"{path}: {names[one.factor]}", one) for path, gain in found for one in gain.shares]
    for height, (_, _, one) in enumerate(bars):
        color, interval = PALETTES[one.factor % len(PALETTES)][0], one.value.interval.scaled(100)
        panel.barh(height, 100 * one.value.value, color=color, height=0.6, alpha=0.85)
        panel.plot([interval.low, interval.high], [height, height], color=INK, linewidth=0.9)
    panel.axvline(0.0, color=GREY, linewidth=0.8)
    panel.set_yticks(range(len(bars)), [name for _, name, _ in bars], fontsize=6.5)
    panel.set_ylim(len(bars) - 0.4, -0.6)
    panel.grid(visible=False, axis="y")
    panel.set_title("gains, shared out", fontsize=7.5)
    panel.set_xlabel("Shapley value, points")
