"""Curves with bands over seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def over_seeds(log: pd.DataFrame, x: str, y: str) -> pd.DataFrame:
    """Return mean, low and high (the extremes) of y over seeds at every x; rows without y are left out."""
    if y not in log:
        return pd.DataFrame(columns=[x, "mean", "low", "high"])
    groups = log.dropna(subset=[y]).groupby(x, sort=True)[y]
    return groups.agg(mean="mean", low="min", high="max").reset_index()


def draw(axes: Any, curve: pd.DataFrame, x: str, color: str, **line: Any) -> None:
    """Draw a mean line with its band over seeds; sparse curves get markers."""
    if curve.empty:
        return
    if len(curve) <= 12:
        line = {"marker": "o", "markersize": 3.5, **line}
    axes.plot(curve[x], curve["mean"], color=color, **line)
    if (curve["high"] > curve["low"]).any():
        axes.fill_between(curve[x], curve["low"], curve["high"], color=color, alpha=0.18, linewidth=0)


def smooth(values: pd.Series, window: int) -> pd.Series:
    """Return the centred running mean; the ends use what there is."""
    return values.rolling(max(1, window), center=True, min_periods=1).mean()


def seed_count(log: pd.DataFrame) -> int:
    """Return how many seeds a log holds."""
    return int(np.size(log["seed"].unique())) if "seed" in log else 1
