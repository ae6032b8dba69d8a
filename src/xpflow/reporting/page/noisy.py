"""How noisy text is read, as the page draws it: net gain of all readers, and accuracy against s."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xpflow.reporting.markup import Lines
from xpflow.reporting.noisy import InNoise, chosen_text
from xpflow.reporting.noisy_results import Read
from xpflow.reporting.page.charts import SYMBOLS, Chart, curve, data_table, series
from xpflow.reporting.plots.noisy import KINDS, look_of
from xpflow.study.config.noisy import NoisyBlock


def noisy_charts(block: NoisyBlock, reads: Sequence[Read], in_noise: InNoise) -> list[Chart]:
    """Return the two charts: net gain at each share of wrong tokens, and tokens in noise."""
    return [_net(block, reads), _against_s(block, in_noise)]


def _net(block: NoisyBlock, reads: Sequence[Read]) -> Chart:
    names = list(dict.fromkeys(read.reader.name for read in reads))
    panels, rows = [], list[tuple[Lines, ...]]()
    for benchmark in dict.fromkeys(read.benchmark for read in reads):
        for kind in block.kinds:
            drawn = []
            for read in (one for one in reads if one.benchmark == benchmark):
                net = [200 * read.measure("net", kind, share).mean - 100 for share in block.shares]
                told = [
                    (f"{100 * share:g} %", f"{y:.1f}") for share, y in zip(block.shares, net, strict=True)
                ]
                hover = [f"{share} wrong: {y} of 100 tokens" for share, y in told]
                drawn.append(curve(names.index(read.reader.name), block.shares, net, hover=hover))
                rows += [
                    ((read.reader.name,), (chosen_text(read),), (benchmark,), (KINDS[kind],), (share,), (y,))
                    for share, y in told
                ]
            panels.append({"title": f"{benchmark}: {KINDS[kind]}", "curves": drawn})
    heads = ("reader", "read by", "benchmark", "at wrong places", "wrong", "net")
    return Chart(
        "noisy",
        "Text with wrong tokens, read in one forward",
        "Wrong tokens that are mended less right ones that are broken, per 100 tokens, by the share of wrong "
        "tokens. What a reader trusts the text with was chosen on validation problems.",
        data_table("noisy-drawn", heads, rows, right=(4, 5)),
        {
            "series": _looks(names),
            "panels": panels,
            "y": {"title": "fixed less broken, per 100 tokens"},
            "x": {"title": "share of wrong tokens"},
        },
    )


def _against_s(block: NoisyBlock, in_noise: InNoise) -> Chart:
    names = list(dict.fromkeys(place for place, _ in in_noise))
    panels, rows = [], list[tuple[Lines, ...]]()
    for benchmark in dict.fromkeys(where for _, where in in_noise):
        drawn = []
        for number, place in enumerate(names):
            shares = [in_noise[place, benchmark][ratio].mean for ratio in block.ratios]
            told = [(f"{x:g}", f"{100 * y:.1f} %") for x, y in zip(block.ratios, shares, strict=True)]
            drawn.append(
                curve(number, block.ratios, shares, hover=[f"at {x} of s_max: {y}" for x, y in told])
            )
            rows += [((place,), (benchmark,), (x,), (y,)) for x, y in told]
        panels.append({"title": benchmark, "curves": drawn})
    return Chart(
        "noisy-snr",
        "Tokens in noise of every strength",
        "Share of an answer's tokens that are read rightly when all are seen in Gaussian noise, by the "
        "signal-to-noise ratio s.",
        data_table(
            "noisy-snr-drawn", ("weights", "benchmark", "s / s_max", "read rightly"), rows, right=(2, 3)
        ),
        {
            "series": _looks(names),
            "panels": panels,
            "y": {"title": "tokens read rightly", "percent": True, "zero": True},
            "x": {"title": "s / s_max", "log": True},
        },
    )


def _looks(names: Sequence[str]) -> list[dict[str, Any]]:
    looks = [look_of(number) for number in range(len(names))]
    return [
        series(name, look["color"], "solid", SYMBOLS[look["marker"]])
        for name, look in zip(names, looks, strict=True)
    ]
