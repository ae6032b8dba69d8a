"""The learning curves of a study as the page draws them: alignment (Figures 2a and 2b) and the policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from xpflow.reporting.page.charts import Chart, curve, data_table, plain, series
from xpflow.reporting.plots.alignment import looks, variant_label, variants
from xpflow.reporting.plots.style import BLUE, GREEN, NAVY, OLIVE, PURPLE, over_seeds, seed_count, smooth

SHOWN = 9  # updates that a table lists
Y = dict[str, Any]
PERCENT: Y = {"title": "share", "percent": True}
POLICY = (
    ("reward", "reward, training", PURPLE),
    ("pass_rate", "pass rate, training rollouts", BLUE),
    ("val_pass", "pass rate, validation", NAVY),
    ("groups_with_variance", "groups whose rewards differ", GREEN),
    ("completion", "completion (mean final t)", OLIVE),
)
ALIGNMENT: tuple[tuple[str, str, tuple[tuple[str, Y], ...]], ...] = (
    (
        "figure_2a",
        "What alignment does to embeddings",
        (
            ("mse_unmasked", {"title": "squared error, unmasked positions", "log": True}),
            ("mse_masked", {"title": "squared error, masked positions", "log": True}),
            ("acc_unmasked", {**PERCENT, "title": "accuracy, unmasked positions"}),
        ),
    ),
    (
        "figure_2b",
        "What alignment does to predictions",
        (
            ("ce_masked", {"title": "cross-entropy, own answers (nats)"}),
            ("ce_heldout", {"title": "cross-entropy, held-out answers (nats)"}),
            ("pass_full", {**PERCENT, "title": "pass rate at the full budget", "zero": True}),
        ),
    ),
)


def alignment_charts(log: pd.DataFrame) -> list[Chart]:
    """Return Figures 2a and 2b: a panel per model and quantity that was logged, a curve per variant."""
    names = [name for name, _ in variants(log)]
    hues = looks(log)
    drawn = [series(variant_label(name), hues[name][0]) for name in names]
    charts = []
    for name, title, fields in ALIGNMENT:
        panels = [
            _panel(
                f"{model}: {y['title']}",
                y,
                [(number, _rows(log, model, one)) for number, one in enumerate(names)],
                field,
            )
            for model in dict.fromkeys(log["model"])
            for field, y in fields
            if field in log and log.loc[log["model"] == model, field].notna().any()
        ]
        charts.append(_chart(name, title, drawn, panels, seed_count(log)))
    return charts


def policy_chart(log: pd.DataFrame) -> Chart:
    """Return the learning curve of the policy, smoothed as its figure is."""
    window = max(1, int(log["update"].nunique()) // 20)
    known = [(number, field) for number, (field, _, _) in enumerate(POLICY) if field in log]
    panels: list[dict[str, Any]] = []
    share: Y = {"title": "share", "percent": True, "zero": True}
    for title, fields in (("What the policy earns", POLICY[:3]), ("What it can learn from", POLICY[3:])):
        names = {field for field, _, _ in fields}
        curves = [
            _curve(number, over_seeds(log, "update", field), window if field != "val_pass" else 1)
            for number, field in known
            if field in names
        ]
        panels.append({"title": title, "curves": [one for one in curves if one["x"]], "y": share})
    drawn = [series(label, color) for _, label, color in POLICY]
    return _chart("grpo", "How the policy learned", drawn, panels, seed_count(log))


def _rows(log: pd.DataFrame, model: str, variant: str) -> pd.DataFrame:
    return log[(log["model"] == model) & (log["variant"] == variant)]


def _panel(title: str, y: Y, rows: Sequence[tuple[int, pd.DataFrame]], field: str) -> dict[str, Any]:
    curves = [_curve(number, over_seeds(one, "update", field)) for number, one in rows]
    return {"title": title, "curves": [one for one in curves if one["x"]], "y": y}


def _curve(number: int, points: pd.DataFrame, window: int = 1) -> dict[str, Any]:
    columns = {name: smooth(points[name], window) for name in ("mean", "low", "high")}
    return curve(
        number, points["update"], columns["mean"], band=[plain(columns["low"]), plain(columns["high"])]
    )


def _chart(
    name: str, title: str, drawn: list[dict[str, Any]], panels: list[dict[str, Any]], seeds: int
) -> Chart:
    rows = [
        ((panel["title"],), (drawn[one["series"]]["name"],), (f"{one['x'][place]:g}",), (_value(one, place),))
        for panel in panels
        for one in panel["curves"]
        for place in _spread(len(one["x"]))
    ]
    ends = [
        f"{panel['title']}, {drawn[one['series']]['name']}: from {_value(one, 0)} to {_value(one, -1)}"
        for panel in panels
        for one in panel["curves"]
    ]
    return Chart(
        name,
        title,
        f"Means over {seeds} seed{'s' * (seeds > 1)} by update; bands are extremes. "
        f"{'; '.join(ends) or 'No finite number was logged'}.",
        data_table(name, ("panel", "curve", "update", "mean [low, high over seeds]"), rows, right=(2, 3)),
        {"series": drawn, "panels": panels, "x": {"title": "update"}, "y": {"title": ""}},
    )


def _value(one: dict[str, Any], place: int) -> str:
    low, high = one["band"]
    numbers = (one["y"][place], low[place], high[place])
    mean, least, most = ("–" if value is None else f"{value:.3g}" for value in numbers)
    return f"{mean} [{least}, {most}]"


def _spread(count: int) -> list[int]:
    """Return up to SHOWN places from the first to the last."""
    if count <= SHOWN:
        return list(range(count))
    return [round(number * (count - 1) / (SHOWN - 1)) for number in range(SHOWN)]
