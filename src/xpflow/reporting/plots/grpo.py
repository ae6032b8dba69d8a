"""Learning curve of the step-size policy: what it earns, and whether its groups still teach it anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.ticker import PercentFormatter

from xpflow.reporting.alignment_table import finite, read_log
from xpflow.reporting.plots.style import (
    BLUE,
    GREEN,
    NAVY,
    OLIVE,
    PURPLE,
    figure,
    note,
    over_seeds,
    save,
    seed_count,
    smooth,
)

FIELDS = ("update", "reward", "pass_rate", "completion", "groups_with_variance", "nfe")


def read_grpo(paths: Mapping[int, Path]) -> pd.DataFrame:
    """Read policy-training logs by seed into one table; what is no finite number in them is NaN."""
    logs = [read_log(path, FIELDS, seed=seed) for seed, path in paths.items()]
    log = pd.concat(logs, ignore_index=True)
    return finite(log, [*FIELDS[1:], *(["val_pass"] if "val_pass" in log else [])])


def figure_grpo(
    log: pd.DataFrame, folder: Path, formats: Sequence[str] = ("png", "pdf"), name: str = "grpo"
) -> list[Path]:
    """Draw reward and pass rate (left), group variance and completion (right) by update."""
    window = max(1, int(log["update"].nunique()) // 20)
    with figure(height=2.7, ncols=2) as (drawing, axes):
        left, right = axes[0]
        _smoothed(left, log, "reward", PURPLE, window, "reward, training")
        _smoothed(left, log, "pass_rate", BLUE, window, "pass rate, training rollouts")
        _validation(left, log)
        _smoothed(right, log, "groups_with_variance", GREEN, window, "groups whose rewards differ")
        _smoothed(right, log, "completion", OLIVE, window, "completion (mean final t)")
        left.set_title("what the policy earns")
        right.set_title("what it can learn from")
        left.set_ylabel("mean over rollouts")
        right.set_ylabel("share")
        right.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        right.set_ylim(0, 1.03)
        left.set_ylim(bottom=0)
        for panel in (left, right):
            panel.set_xlabel("update")
            panel.margins(x=0.02)
            if panel.get_legend_handles_labels()[0]:  # else nothing finite was logged
                panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=1)
        seeds = seed_count(log)
        note(
            drawing, f"{seeds} seed{'s' * (seeds > 1)}. Thin: raw; thick: running mean over {window} updates."
        )
        return save(drawing, folder, name, formats)


def _smoothed(axes: Any, log: pd.DataFrame, field: str, color: str, window: int, label: str) -> None:
    curve = over_seeds(log, "update", field)
    if curve.empty:
        return
    axes.plot(curve["update"], curve["mean"], color=color, alpha=0.3, linewidth=0.7)
    axes.plot(curve["update"], smooth(curve["mean"], window), color=color, label=label)
    if (curve["high"] > curve["low"]).any():
        low, high = smooth(curve["low"], window), smooth(curve["high"], window)
        axes.fill_between(curve["update"], low, high, color=color, alpha=0.13, linewidth=0)


def _validation(axes: Any, log: pd.DataFrame) -> None:
    curve = over_seeds(log, "update", "val_pass")
    if curve.empty:
        return
    axes.plot(
        curve["update"],
        curve["mean"],
        color=NAVY,
        marker="D",
        markersize=3.5,
        linewidth=1.0,
        label="validation",
    )
    if (curve["high"] > curve["low"]).any():
        axes.fill_between(curve["update"], curve["low"], curve["high"], color=NAVY, alpha=0.1, linewidth=0)
