"""The probes as the page draws them: readings of mixed states, and decodes that are snapped and finished."""

from __future__ import annotations

from collections.abc import Sequence

from xpflow.reporting.markup import Lines
from xpflow.reporting.page.charts import SYMBOLS, Chart, curve, data_table, series
from xpflow.reporting.plots.probes import PANELS, TOKENS
from xpflow.reporting.plots.style import MARKERS, PALETTES
from xpflow.reporting.probe_results import Probed
from xpflow.study.config.probes import ProbesBlock

SHARE = {"percent": True, "zero": True}


def probe_charts(block: ProbesBlock, probed: Sequence[Probed]) -> list[Chart]:
    """Return the two charts: what is read at each t, and what becomes of decodes that are stopped early."""
    return [_validity(block, probed), _recovery(block, probed)]


def _validity(block: ProbesBlock, probed: Sequence[Probed]) -> Chart:
    kinds = [(token, geometry) for geometry in block.geometries for token in TOKENS]
    names = [f"{'true' if token == 'oracle' else 'wrong'} token, {geometry}" for token, geometry in kinds]
    panels, rows = [], list[tuple[Lines, ...]]()
    for one in probed:
        for what, title in PANELS.items():
            drawn = []
            for number, (token, geometry) in enumerate(kinds):
                shares = [one.share(what, token, geometry, t).mean for t in block.t]
                hover = [f"t = {t:g}: {100 * share:.1f} %" for t, share in zip(block.t, shares, strict=True)]
                drawn.append(curve(number, block.t, shares, hover=hover))
                rows += [
                    (
                        (one.place,),
                        (one.benchmark,),
                        (title,),
                        (names[number],),
                        (f"{t:g}",),
                        (f"{100 * share:.1f} %",),
                    )
                    for t, share in zip(block.t, shares, strict=True)
                ]
            panels.append({"title": f"{one.place}, {one.benchmark}: {title}", "curves": drawn})
    looks = [
        series(name, TOKENS[token], "solid" if geometry == "linear" else "dot", "circle")
        for name, (token, geometry) in zip(names, kinds, strict=True)
    ]
    middle = block.t[len(block.t) // 2]
    said = []
    for one in probed:
        true, wrong = (100 * one.share("read", token, kinds[0][1], middle).mean for token in TOKENS)
        said.append(f"{one.place}, {one.benchmark}: {true:.1f} % and {wrong:.1f} %")
    heads = ("place", "benchmark", "where", "mixed in", "t", "read rightly")
    return Chart(
        "probes-validity",
        "How mixed states are read",
        f"Share of places that are read as the true token, by the t of the mixture. At t = "
        f"{middle:g}, with the true and with a wrong token mixed in: {'; '.join(said)}.",
        data_table("probes-validity-drawn", heads, rows, right=(4, 5)),
        {
            "series": looks,
            "panels": panels,
            "y": {"title": "read as the true token", **SHARE},
            "x": {"title": "t of the mixture"},
        },
    )


def _recovery(block: ProbesBlock, probed: Sequence[Probed]) -> Chart:
    shares = [number / block.snaps for number in range(block.snaps + 1)]
    panels, rows = [], list[tuple[Lines, ...]]()
    for one in probed:
        drawn = []
        for number, policy in enumerate(block.policies):
            solved = [one.recovered(policy.name, share, block.snap_at[0]).mean for share in shares]
            hover = [
                f"after {share:g} of the steps: {100 * y:.1f} %"
                for share, y in zip(shares, solved, strict=True)
            ]
            drawn.append(curve(number, shares, solved, hover=hover))
            rows += [
                ((one.place,), (one.benchmark,), (policy.name,), (f"{share:g}",), (f"{100 * y:.1f} %",))
                for share, y in zip(shares, solved, strict=True)
            ]
        panels.append({"title": f"{one.place}, {one.benchmark}", "curves": drawn})
    looks = [
        series(policy.name, PALETTES[(n + 1) % len(PALETTES)][0], "solid", SYMBOLS[MARKERS[n % len(MARKERS)]])
        for n, policy in enumerate(block.policies)
    ]
    heads = ("place", "benchmark", "policy", "steps before the snap", "solved")
    return Chart(
        "probes-recovery",
        "Decodes that are stopped and finished by mask prediction",
        "Problems solved when a decode of flow is stopped after a share of its steps, tokens with t of "
        f"{block.snap_at[0]:g} or more are kept and mask prediction finishes the rest, one token a forward. "
        "At 0 all is left to mask prediction, at 1 the answer is flow's own.",
        data_table("probes-recovery-drawn", heads, rows, right=(3, 4)),
        {
            "series": looks,
            "panels": panels,
            "y": {"title": "problems solved", **SHARE},
            "x": {"title": "share of the steps before the snap"},
        },
    )
