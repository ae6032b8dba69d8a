"""How numbers of small languages are written: likelihoods in nats a token, shares in percent or points."""

from __future__ import annotations

from xpflow.reporting.markup import number
from xpflow.stats.intervals import Interval

NATS, SHARE = "nats a token", "points"
DASH = "–"
OF_LIKELIHOOD = ("excess", "main", "velocity", "sample_excess")


def unit_of_measure(measure: str) -> str:
    """Return the unit of a claim's measure: NATS, or SHARE for what lies between 0 and 1."""
    return NATS if measure in OF_LIKELIHOOD else SHARE


def value_text(value: float, unit: str, sign: str = "") -> str:
    """Return a number in its unit, without the unit's name; shares that percent cannot show as 8.6e-09 %."""
    if unit == NATS:
        return number(value, sign, 3)
    percent = 100 * value
    if value and abs(percent) < 0.05:
        return f"{percent:{sign}.1e}".replace("-", "−", 1 if value < 0 else 0)
    return number(percent, sign)


def interval_text(interval: Interval | None, unit: str, sign: str = "") -> str:
    """Return an interval in brackets, or a dash where there is none."""
    if interval is None:
        return f"[{DASH}]"
    return f"[{value_text(interval.low, unit, sign)}, {value_text(interval.high, unit, sign)}]"
