"""What a method is worth at equal cost: learned orders at equal forwards, noisy masks under one teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from xpflow.reporting.plots.style import BLUE, GREY, INK, ORANGE, VERMILION, figure, log_axis, note, save
from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.text_cells import seed_mean
from xpflow.reporting.text_kinds import Taught, matches, taught_alike
from xpflow.reporting.text_results import Trained
from xpflow.study.config.text import TextBlock
from xpflow.study.config.text_references import AGREEMENT
from xpflow.study.text_tables import agreement_worlds

Worlds = Mapping[str, Sequence[Trained]]
EQUAL = {"updates": VERMILION, "noisy states": ORANGE, "forwards": BLUE}
SIDES = {False: ("plain masks", GREY, "s"), True: ("masks with noise", BLUE, "o")}


def figure_compute(
    block: TextBlock, plan: ReportPlan, worlds: Worlds, folder: Path, formats: Sequence[str]
) -> list[Path]:
    """Draw the bound of learned orders less that of masked diffusion, where something of both is equal."""
    found = {world: matches(block, runs) for world, runs in worlds.items()}
    found = {world: some for world, some in found.items() if some} or {"no run has an equal": []}
    height = 0.9 + max(0.35 * max(map(len, found.values())), 1.0)
    with figure(height=height, ncols=len(found)) as (drawing, axes):
        for panel, (world, some) in zip(axes[0], found.items(), strict=True):
            for row, match in enumerate(some):
                sides = match.learned.bound("excess"), match.plain.bound("excess")
                told, color = seed_mean(plan, *sides), EQUAL[match.equal]
                if told is None:
                    continue
                panel.plot(
                    told.values_S, np.full(told.n_seeds, row), ".", color=color, alpha=0.35, markersize=4
                )
                if told.interval is not None:
                    panel.plot(
                        [told.interval.low, told.interval.high], [row, row], color=color, linewidth=1.4
                    )
                panel.plot([told.value], [row], "o", color=color, markersize=4.5)
            panel.axvline(0, color=GREY, linestyle="--", linewidth=0.8, zorder=0)
            panel.set_yticks(range(len(some)), [f"{one.learned.label},\nequal {one.equal}" for one in some])
            panel.tick_params(axis="y", labelsize=6.5)
            panel.set_ylim(max(len(some), 1) - 0.5, -0.5)
            panel.set_title(world)
            panel.set_xlabel("difference of bounds, nats a token")
        note(
            drawing,
            f"Learned orders less masked diffusion, seeds as pairs: mean, {100 * plan.confidence:g} % t "
            "interval, single seeds. Left of 0: the order helps.",
        )
        return save(drawing, folder, "text_compute", formats)


def figure_masks(block: TextBlock, worlds: Worlds, folder: Path, formats: Sequence[str]) -> list[Path]:
    """Draw plain masks beside masks with noise, under the same teacher: one step that agrees, or samples."""
    found: dict[str, list[Taught]] = {}
    for world, runs in worlds.items():
        taught = taught_alike(block, runs)
        if any(one.noisy is not None for one in taught):
            found[world] = taught
    agreement, steps = agreement_worlds(block), block.steps[len(block.steps) // 2]
    columns = min(3, max(1, len(found)))
    rows = -(-max(1, len(found)) // columns)
    with figure(height=0.9 + 2.1 * rows, nrows=rows, ncols=columns) as (drawing, axes):
        for panel in axes.flat[len(found) :]:
            panel.set_axis_off()
        for panel, (world, taught) in zip(axes.flat, found.items(), strict=False):
            for number, alike in enumerate(taught):
                for one, noisy in ((alike.plain, False), (alike.noisy, True)):
                    if one is not None:
                        _side(panel, number + (0.13 if noisy else -0.13), one, noisy, steps)
            if world in agreement:
                log_axis(panel, "y")
                panel.set_ylabel("one step agrees")
            else:
                panel.set_ylabel(f"invalid samples, {steps} steps")
                panel.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
                panel.set_ylim(-0.03, 1.03)
            panel.set_xlim(-0.6, len(taught) - 0.4)
            panel.set_xticks(
                range(len(taught)), [one.label for one in taught], fontsize=6, rotation=40, ha="right"
            )
            panel.set_title(world)
        shown = [Line2D([], [], color=c, marker=m, linestyle="", label=name) for name, c, m in SIDES.values()]
        if set(found) & set(agreement):
            shown.append(Line2D([], [], color=INK, linewidth=1.0, label="most that its own marginals allow"))
        drawing.legend(handles=shown, loc="outside upper left", ncols=3, fontsize=6.5, frameon=False)
        note(drawing, "Large marks: means over seeds; small: single seeds. Below: what taught the model.")
        return save(drawing, folder, "text_masks", formats)


def _side(panel: Any, place: float, one: Trained, noisy: bool, steps: int) -> None:
    """Draw a run's seeds, their mean and, where one step was measured, the most its marginals allow."""
    _, color, marker = SIDES[noisy]
    agreement_S, ceiling_S = one.measured("agreement"), one.values("one_step", "ceiling")
    repeats = one.world.startswith(AGREEMENT)
    values_S = agreement_S if repeats else one.measured("invalid", steps=steps)
    panel.plot(np.full(len(values_S), place), values_S, ".", color=color, alpha=0.5, markersize=3)
    panel.plot([place], [values_S.mean()], color=color, marker=marker, markersize=5)
    if repeats:
        panel.plot([place - 0.13, place + 0.13], [ceiling_S.mean()] * 2, color=INK, linewidth=1.0)
