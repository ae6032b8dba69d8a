"""One look for all figures: style file, colour-blind-safe palette (Okabe and Ito), curves, saving undated."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from xpflow.artifacts.io import atomic_write_bytes
from xpflow.errors import ConfigError

matplotlib.use("Agg")


STYLE = Path(__file__).with_name("xpflow.mplstyle")
WIDTH_INCH = 7.0  # two columns of a page

INK, GREY = "#333333", "#8C8C8C"
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
SKY, ORANGE, PURPLE = "#56B4E9", "#E69F00", "#CC79A7"
NAVY, PALE, BROWN, OLIVE = "#003F6B", "#9CCBEB", "#8C3A00", "#999933"
# Decoders with a hue of their own in every figure of every study; others take the next ones, in their order.
OWN_HUE = ("mask_prediction", "flow", "threshold")
# Hues and markers of the decoders of a figure, in turn; the numbers of both share no divisor, so that a pair
# comes back only after all pairs. The last four are from Paul Tol's muted scheme.
PALETTES = (
    (INK, GREY),
    (BLUE, SKY, NAVY, PALE),
    (VERMILION, ORANGE, BROWN),
    ("#882255", "#AA4499"),
    ("#117733", "#44AA99"),
    (OLIVE, "#DDCC77"),
    ("#332288", "#88CCEE"),
)
MARKERS = ("s", "o", "^", "D", "v", "P", "X", "<", ">", "h", "p", "*")

# no dates, no version strings: the same figure is the same bytes
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    "svg": {"Date": None, "Creator": None},
}


@contextmanager
def figure(width: float = WIDTH_INCH, height: float = 2.6, **grid: Any) -> Iterator[tuple[Any, Any]]:
    """Yield a figure and its axes (an array [rows, columns]) in the project's style; sizes in inches."""
    with plt.style.context(STYLE):
        drawing, axes = plt.subplots(figsize=(width, height), squeeze=False, layout="constrained", **grid)
        try:
            yield drawing, axes
        finally:
            plt.close(drawing)


def save(drawing: Any, folder: Path, name: str, formats: Sequence[str] = ("png", "pdf")) -> list[Path]:
    """Write a figure in every format, whole or not at all; returns the paths."""
    unknown = [ending for ending in formats if ending not in _METADATA]
    if unknown:
        raise ConfigError(f"no such figure format: {unknown[0]!r}", hint="formats: " + ", ".join(_METADATA))
    paths = []
    for ending in formats:
        buffer = io.BytesIO()
        with _no_date():
            drawing.savefig(buffer, format=ending, metadata=_METADATA[ending])
        paths.append(folder / f"{name}.{ending}")
        atomic_write_bytes(paths[-1], buffer.getvalue())
    return paths


@contextmanager
def _no_date() -> Iterator[None]:
    """Hide SOURCE_DATE_EPOCH from matplotlib: it is read even where no date is written, and may be none."""
    found = os.environ.pop("SOURCE_DATE_EPOCH", None)
    try:
        yield
    finally:
        if found is not None:
            os.environ["SOURCE_DATE_EPOCH"] = found


def note(drawing: Any, text: str) -> None:
    """Write a small line under the whole figure: what the bands and marks mean."""
    drawing.supxlabel(text, fontsize=6.5, color=GREY, x=0.01, ha="left")


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


def log_axis(
    panel: Any, axis: str, text: Callable[[float, int], str] = lambda value, _: f"{value:g}"
) -> None:
    """Make an axis logarithmic; the fewer decades, the more ticks, and all of them plain numbers."""
    getattr(panel, f"set_{axis}scale")("log")
    low, high = getattr(panel, f"get_{axis}lim")()
    chosen = getattr(panel, f"{axis}axis")
    subs = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0) if high / low < 10 else (1.0, 2.0, 5.0)
    chosen.set_major_locator(LogLocator(subs=subs if high / low < 300 else (1.0,)))
    chosen.set_major_formatter(FuncFormatter(text))
    chosen.set_minor_formatter(NullFormatter())


def thousands(value: float, _: int) -> str:
    """Return a count as an axis has it: 20k, 1M."""
    return f"{value / 1e6:g}M" if value >= 1e6 else f"{value / 1e3:g}k" if value >= 1e3 else f"{value:g}"
