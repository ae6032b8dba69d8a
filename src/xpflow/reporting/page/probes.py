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
    """Return the charts: what is read at each t, and what becomes of decodes that are stopped early."""
    return [_validity(block, probed), *([_recovery(block, probed)] if block.policies else [])]


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
    kinds = [
        (place, policy.name, bound) for place, policy in enumerate(block.policies) for bound in block.snap_at
    ]
    names = [f"{policy}, t ≥ {bound:g}" for _, policy, bound in kinds]
    panels, rows = [], list[tuple[Lines, ...]]()
    for one in probed:
        drawn = []
        for number, (_, policy, bound) in enumerate(kinds):
            solved = [one.recovered(policy, share, bound).mean for share in shares]
            pairs = [(f"{share:g}", f"{100 * y:.1f} %") for share, y in zip(shares, solved, strict=True)]
            hover = [f"after {share} of the steps: {y}" for share, y in pairs]
            drawn.append(curve(number, shares, solved, hover=hover))
            rows += [((one.place,), (one.benchmark,), (names[number],), (share,), (y,)) for share, y in pairs]
        panels.append({"title": f"{one.place}, {one.benchmark}", "curves": drawn})
    looks = [
        series(
            name,
            PALETTES[(place + 1) % len(PALETTES)][0],
            "solid" if bound == block.snap_at[0] else "dot",
            SYMBOLS[MARKERS[place % len(MARKERS)]],
        )
        for name, (place, _, bound) in zip(names, kinds, strict=True)
    ]
    heads = ("place", "benchmark", "policy", "steps before the snap", "solved")
    return Chart(
        "probes-recovery",
        "Decodes that are stopped and finished by mask prediction",
        "Problems solved when a decode of flow is stopped after a share of its steps, tokens whose t is "
        "large enough are kept and mask prediction finishes the rest, one token a forward. At 0 "
        "all is left to mask prediction, at 1 the answer is flow's own.",
        data_table("probes-recovery-drawn", heads, rows, right=(3, 4)),
        {
            "series": looks,
            "panels": panels,
            "y": {"title": "problems solved", **SHARE},
            "x": {"title": "share of the steps before the snap"},
        },
    )
