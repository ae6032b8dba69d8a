"""Figure of noisy text: net gain against the share of wrong tokens, context, and accuracy against s."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.ticker import PercentFormatter

from xpflow.reporting.noisy import InNoise
from xpflow.reporting.noisy_results import Read
from xpflow.reporting.plots.style import GREY, MARKERS, PALETTES, figure, note, save
from xpflow.study.config.noisy import NoisyBlock

KINDS = {"uniform": "random tokens", "near": "near tokens"}


def figure_noisy(
    block: NoisyBlock, reads: Sequence[Read], in_noise: InNoise, folder: Path, formats: Sequence[str]
) -> list[Path]:
    """Draw a row for each benchmark: net gain for each kind, masks among wrong tokens, accuracy against s."""
    benchmarks = list(dict.fromkeys(read.benchmark for read in reads))
    columns = len(block.kinds) + 2
    with figure(height=1.0 + 2.0 * len(benchmarks), nrows=len(benchmarks), ncols=columns) as (drawing, axes):
        for row, benchmark in zip(axes, benchmarks, strict=True):
            here = [read for read in reads if read.benchmark == benchmark]
            for panel, kind in zip(row, block.kinds, strict=False):
                _net(panel, block, here, kind)
            _context(row[-2], block, here)
            _against_s(row[-1], block, in_noise, benchmark)
            row[0].set_title(f"{benchmark}\n{KINDS[block.kinds[0]]}")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        drawing.legend(handles, labels, fontsize=6, frameon=False, loc="outside upper center", ncols=5)
        text = "Tokens in noise: weights look as their first reader. Intervals: tables noisy, noisy_snr."
        note(drawing, f"Means over problems, one forward. {text}")
        return save(drawing, folder, "noisy", formats)


def _net(panel: Any, block: NoisyBlock, reads: Sequence[Read], kind: str) -> None:
    for number, read in enumerate(reads):
        values = [200 * read.measure("net", kind, share).mean - 100 for share in block.shares]
        panel.plot(block.shares, values, label=read.reader.name, **look_of(number))
    panel.axhline(0.0, color=GREY, linestyle="--", linewidth=0.8, zorder=0)
    panel.set_title(KINDS[kind])
    panel.set_ylabel("fixed less broken, per 100")
    _dress(panel)


def _context(panel: Any, block: NoisyBlock, reads: Sequence[Read]) -> None:
    for number, read in enumerate(reads):
        values = [read.measure("context", "uniform", share).mean for share in block.context]
        panel.plot(block.context, values, **look_of(number))
    panel.set_title("masks among them")
    panel.set_ylabel("masks read rightly")
    panel.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    _dress(panel)


def _against_s(panel: Any, block: NoisyBlock, in_noise: InNoise, benchmark: str) -> None:
    read_in = [reader.place for reader in block.readers]
    for place in (place for place, where in in_noise if where == benchmark):
        values = [in_noise[place, benchmark][ratio].mean for ratio in block.ratios]
        panel.plot(block.ratios, values, **look_of(read_in.index(place)))
    panel.set_title("tokens in noise")
    panel.set_xscale("log")
    panel.set_xlabel("s / s_max")
    panel.set_ylabel("tokens read rightly")
    panel.set_ylim(0, 1.02)
    panel.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _dress(panel: Any) -> None:
    panel.set_xlabel("wrong tokens")
    panel.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def look_of(number: int) -> dict[str, Any]:
    """Return colour and mark of a reader's curve by its place in the study."""
    return {
        "color": PALETTES[number % len(PALETTES)][0],
        "marker": MARKERS[number % len(MARKERS)],
        "markersize": 3.0,
    }
