"""Figures of models of small languages: bounds against forwards, samples by steps, agreement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, PercentFormatter

from xpflow.reporting.plots.style import GREY, INK, MARKERS, PALETTES, figure, log_axis, note, save, thousands
from xpflow.reporting.plots.text_compute import figure_compute, figure_masks
from xpflow.reporting.plots.text_orders import figure_orders
from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.text_results import Trained, reported
from xpflow.stats.agreement import ancestral_ceiling
from xpflow.stats.seeds import Floats
from xpflow.study.config import StudyConfig
from xpflow.study.config.text import TextBlock
from xpflow.study.text_tables import agreement_worlds, carries_noise, learns_orders

Worlds = Mapping[str, Sequence[Trained]]
Looks = Mapping[str, dict[str, Any]]
COLUMNS = 3  # panels beside each other
PANEL_INCH, LINE_INCH = 2.1, 0.16
NAMES = 4  # of runs in a line


def figures_text(
    config: StudyConfig, plan: ReportPlan, trained: Sequence[Trained], out: Path, formats: Sequence[str]
) -> list[Path]:
    """Draw the block's figures, those of `study.text_tables.text_figure_names`."""
    block, worlds = config.text, reported(trained)
    looks = looks_of(block)
    paths = [
        *figure_curves(worlds, looks, out, formats),
        *figure_samples(block, worlds, looks, out, formats),
    ]
    if learns_orders(block):
        paths += figure_orders(block, worlds, out, formats)
        paths += figure_compute(block, plan, worlds, out, formats)
    if carries_noise(block):
        paths += figure_masks(block, worlds, out, formats)
    if agreement := agreement_worlds(block):
        chosen = {world: worlds[world] for world in agreement if world in worlds}
        paths += figure_agreement(block, chosen, looks, out, formats)
    return paths


def looks_of(block: TextBlock) -> dict[str, dict[str, Any]]:
    """Return colour and mark of every reported run, the same in all panels."""
    shown = [run for run in block.runs if run.report]
    hues = [color for shades in zip(*(shades[:2] for shades in PALETTES), strict=True) for color in shades]
    return {
        run.name: {
            "color": hues[place % len(hues)],
            "marker": MARKERS[place % len(MARKERS)],
            "markersize": 3.5,
            "linewidth": 1.2,
            "label": run.label or run.name,
        }
        for place, run in enumerate(shown)
    }


def figure_curves(worlds: Worlds, looks: Looks, folder: Path, formats: Sequence[str]) -> list[Path]:
    """Draw how far the bound lies above the language against the forwards spent, a panel for each world."""
    with panels_of(worlds, looks) as (drawing, panels):
        for panel, (world, runs) in zip(panels, worlds.items(), strict=False):
            lowest = []
            for one in runs:
                x_K, y_KS = one.curve()
                _line(panel, x_K, y_KS, looks[one.run.name])
                lowest.append(y_KS.min())
            log_axis(panel, "x", thousands)
            if lowest and min(lowest) > 0:
                log_axis(panel, "y")
            panel.set_title(world)
            panel.set_xlabel("forwards × sentences")
        panels[0].set_ylabel("bound above the language,\nnats a token")
        _legend(drawing, worlds, looks)
        note(
            drawing,
            "Bands: extremes over seeds. Forwards of runs that others start from count. Last points: the "
            "whole test, others fewer sentences.",
        )
        return save(drawing, folder, "text_curves", formats)


def figure_samples(
    block: TextBlock, worlds: Worlds, looks: Looks, folder: Path, formats: Sequence[str]
) -> list[Path]:
    """Draw likelihood and entropy of samples, a line along the steps; its ring is the most steps."""
    agreement = agreement_worlds(block)
    with panels_of(worlds, looks) as (drawing, panels):
        for panel, (world, runs) in zip(panels, worlds.items(), strict=False):
            what = "invalid" if world in agreement else "sample_excess"
            for one in runs:
                x_K = np.array([one.sample(steps, "unigram_entropy").mean() for steps in block.steps])
                y_K = np.array([one.measured(what, steps=steps).mean() for steps in block.steps])
                look = looks[one.run.name]
                panel.plot(x_K, y_K, color=look["color"], linewidth=0.9, alpha=0.8)
                panel.plot(x_K, y_K, color=look["color"], marker=look["marker"], markersize=2.2, linestyle="")
                ring = {"marker": look["marker"], "markersize": 7, "markerfacecolor": "none"}
                panel.plot(x_K[-1:], y_K[-1:], color=look["color"], **ring)
            if not panel.lines or all(np.isnan(line.get_ydata()).all() for line in panel.lines):
                panel.text(0.5, 0.6, "no sample is valid", transform=panel.transAxes, ha="center", color=GREY)
            language = runs[0].values("language", "unigram_entropy").mean() if runs else np.nan
            if np.isfinite(language):
                panel.axvline(language, color=GREY, linestyle="--", linewidth=0.8, zorder=0)
            panel.axhline(0, color=GREY, linestyle="--", linewidth=0.8, zorder=0)
            panel.set_title(world)
            panel.set_xlabel("entropy of the samples' words, nats")
            if world in agreement:
                panel.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            panel.set_ylabel(
                "invalid samples" if world in agreement else "samples' -log p(x)\nabove H, nats a token"
            )
        _legend(drawing, worlds, looks)
        steps = ", ".join(map(str, block.steps))
        note(
            drawing,
            f"Means over seeds, in {steps} steps; rings: {max(block.steps)}. Likelihoods are of valid "
            "samples. Dashed: the language itself.",
        )
        return save(drawing, folder, "text_samples", formats)


def figure_agreement(
    block: TextBlock, worlds: Worlds, looks: Looks, folder: Path, formats: Sequence[str]
) -> list[Path]:
    """Draw how many samples repeat one word by the steps taken, with what exact conditionals give."""
    with panels_of(worlds, looks) as (drawing, panels):
        for panel, (world, runs) in zip(panels, worlds.items(), strict=False):
            for one in runs:
                y_KS = np.array([1 - one.measured("invalid", steps=steps) for steps in block.steps])
                look = looks[one.run.name]
                _line(panel, np.array(block.steps, dtype=np.float64), y_KS, look)
                ceiling = one.values("one_step", "ceiling").mean()
                panel.plot([0.85, 1.18], [ceiling] * 2, color=look["color"], linestyle=":", linewidth=1.2)
            if runs:
                size, length = (int(runs[0].values(name)[0]) for name in ("words", "length"))
                exact = [ancestral_ceiling(size, length, steps) for steps in block.steps]
                panel.plot(block.steps, exact, color=INK, linestyle="--", linewidth=0.9, zorder=0)
            panel.set_xscale("log", base=2)
            panel.set_xticks(block.steps, [str(steps) for steps in block.steps])
            panel.xaxis.set_minor_formatter(NullFormatter())
            panel.set_ylim(-0.03, 1.03)
            panel.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            panel.set_title(world)
            panel.set_xlabel("steps")
        panels[0].set_ylabel("samples that repeat one word")
        _legend(drawing, worlds, looks)
        note(
            drawing,
            "Bands: extremes over seeds. Dashed: exact conditionals of plain masks, in as many steps. "
            "Dotted, at one step: the most that a model's own marginals allow.",
        )
        return save(drawing, folder, "text_agreement", formats)


@contextmanager
def panels_of(worlds: Worlds, looks: Looks) -> Iterator[tuple[Any, list[Any]]]:
    """Yield a figure with a panel for each world, three in a row, and room for the names of the runs."""
    count = max(1, len(worlds))
    columns = min(COLUMNS, count)
    rows = ceil(count / columns)
    with figure(
        height=0.6 + LINE_INCH * ceil(len(looks) / NAMES) + PANEL_INCH * rows, nrows=rows, ncols=columns
    ) as (drawing, axes):
        panels = list(axes.flat)
        for panel in panels[count:]:
            panel.set_axis_off()
        yield drawing, panels[:count]


def _line(panel: Any, x_K: Floats, y_KS: Floats, look: dict[str, Any]) -> None:
    panel.plot(x_K, y_KS.mean(axis=1), **look)
    if y_KS.shape[1] > 1:
        panel.fill_between(
            x_K, y_KS.min(axis=1), y_KS.max(axis=1), color=look["color"], alpha=0.12, linewidth=0
        )


def _legend(drawing: Any, worlds: Worlds, looks: Looks) -> None:
    shown = {one.run.name for runs in worlds.values() for one in runs}
    marks = [Line2D([], [], **look) for name, look in looks.items() if name in shown]
    drawing.legend(handles=marks, loc="outside upper left", ncols=NAMES, fontsize=6.5, frameon=False)
