"""How numbers beside pass rates are written: likelihoods in nats, shares in percent or points."""

from __future__ import annotations

from math import isfinite

from xpflow.reporting.markup import number
from xpflow.stats.intervals import Interval

NATS, SHARE = "nats a token", "points"
RESPONSE_NATS = "nats a response"
LIKELIHOODS = (NATS, RESPONSE_NATS)
DASH = "–"
OF_LIKELIHOOD = ("excess", "main", "velocity", "sample_excess")


def unit_of_measure(measure: str) -> str:
    """Return the unit of a claim's measure: NATS, or SHARE for what lies between 0 and 1."""
    return NATS if measure in OF_LIKELIHOOD else SHARE


def possible(unit: str, *, signed: bool) -> Interval | None:
    """Return what a number can be; signed: a difference of two shares. None: anything."""
    return None if unit in LIKELIHOODS else Interval(-1.0 if signed else 0.0, 1.0)


def scaled(value: float, unit: str) -> float:
    """Return a number as its unit counts it: shares times 100."""
    return value if unit in LIKELIHOODS else 100 * value


def value_text(value: float, unit: str, sign: str = "") -> str:
    """Return a number as text, without its unit's name."""
    return scaled_text(scaled(value, unit), unit, sign)


def scaled_text(value: float, unit: str, sign: str = "") -> str:
    """Return what `scaled` gives as text; percents that two decimals cannot show as 8.6e-07."""
    if not isfinite(value):
        return DASH
    if unit in LIKELIHOODS:
        return number(value, sign, 3)
    if value and abs(value) < 0.005:
        return f"{value:{sign}.1e}".replace("-", "−", 1) if value < 0 else f"{value:{sign}.1e}"
    return number(value, sign, 2)


def interval_text(interval: Interval | None, unit: str, sign: str = "") -> str:
    """Return an interval in brackets, or a dash where there is none."""
    if interval is None:
        return f"[{DASH}]"
    return scaled_interval(scaled(interval.low, unit), scaled(interval.high, unit), unit, sign)


def scaled_interval(low: float, high: float, unit: str, sign: str = "") -> str:
    """Return an interval of what `scaled` gives; with more digits where it would look like a point."""
    if not (isfinite(low) and isfinite(high)):
        return f"[{DASH}]"
    ends = [scaled_text(end, unit, sign) for end in (low, high)]
    if ends[0] == ends[1] and low < high:
        ends = [
            f"{end:{sign}.6g}".replace("-", "−", 1) if end < 0 else f"{end:{sign}.6g}" for end in (low, high)
        ]
    return f"[{ends[0]}, {ends[1]}]"
