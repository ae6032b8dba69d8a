"""Curves with bands over seeds, from JSON-lines logs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xpflow.artifacts.io import read_jsonl
from xpflow.errors import DataError


def read_log(path: Path, required: Iterable[str], **labels: Any) -> pd.DataFrame:
    """Read one log; `labels` become columns. DataError names the file and the first missing field."""
    rows = read_jsonl(path)
    if not rows:
        raise DataError(f"{path} is empty", hint="delete it and run its stage again")
    missing = [name for name in required if name not in rows[0]]
    if missing:
        raise DataError(f"{path}: rows have no field {missing[0]!r}")
    return pd.DataFrame(rows).assign(**labels)


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
