"""Score (Wilson) intervals for pass rates.

The interval treats problems as the sampling unit. It knows nothing about training seeds: with several seeds
pass the mean count per seed and the number of problems, which keeps it honest (answers to one problem are
not independent).
"""

from __future__ import annotations

from dataclasses import dataclass

from statsmodels.stats.proportion import proportion_confint

from xpflow.errors import DataError


@dataclass(frozen=True, slots=True)
class Interval:
    """A closed interval; the unit is that of the estimate it belongs to."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def scaled(self, factor: float) -> Interval:
        """Return both ends multiplied by `factor` (100 turns rates into percent)."""
        return Interval(self.low * factor, self.high * factor)


def require_level(confidence: float) -> None:
    """Raise DataError for a level of confidence that is none, NaN among them."""
    if not 0 < confidence < 1:
        raise DataError(f"a level of confidence of {confidence!r}", hint="between 0 and 1, as 0.95")


def wilson(successes: float, trials: int, confidence: float = 0.95) -> Interval:
    """Return the Wilson score interval of a rate.

    `successes` may be fractional (a mean count over seeds); `trials` is the number of problems. Both ends
    are rates. Raises DataError unless 0 <= successes <= trials and trials > 0. Source: Wilson (1927),
    through statsmodels.
    """
    if trials <= 0 or not 0 <= successes <= trials:
        raise DataError(
            f"cannot build an interval from {successes:g} passes of {trials} problems",
            hint="counts must satisfy 0 <= passes <= problems, with at least one problem",
        )
    require_level(confidence)
    low, high = proportion_confint(successes, trials, alpha=1 - confidence, method="wilson")
    # at 0 and n the ends are exactly 0 and 1; rounding leaves them an ulp inside
    return Interval(0.0 if successes == 0 else float(low), 1.0 if successes == trials else float(high))
