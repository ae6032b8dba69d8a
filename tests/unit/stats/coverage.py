"""How often the intervals of paired differences hold the true one; run as a script it prints the table that
stands in `xpflow.stats.bootstrap`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from xpflow.stats.bootstrap import paired_difference

PROBLEMS, RATES, SEEDS = (4, 5, 10, 20, 164), (0.0, 0.02, 0.3, 1.0), (1, 5)
SEED_SPREAD = 0.05


def answers(generator: np.random.Generator, seeds: int, problems: int, rate: float) -> NDArray[np.bool_]:
    """Return outcomes [S, P] of a true `rate`: problems differ in difficulty, and several seeds differ.

    One run stands for itself: what another seed would give, nobody knows from it.
    """
    spread = min(SEED_SPREAD, 0.5 * rate, 0.5 * (1 - rate)) if seeds > 1 else 0.0
    rates_S = rate + spread * generator.choice([-1.0, 1.0], size=(seeds, 1))
    difficulty_SP = np.sqrt(0.5) * (
        generator.standard_normal(problems) + generator.standard_normal((seeds, problems))
    )
    return np.asarray(difficulty_SP < norm.ppf(rates_S))


def coverage(
    problems: int, rate: float, seeds: int, equal: bool, trials: int, resamples: int = 1000
) -> float:
    """Return the share of samples whose interval holds the true difference.

    equal: both arms solve `rate` of the problems; otherwise the second solves none, and the difference is
    `rate`.
    """
    generator, hits = np.random.default_rng(0), 0
    for _ in range(trials):
        a = answers(generator, seeds, problems, rate)
        b = answers(generator, 1, problems, rate if equal else 0.0)
        truth = 0.0 if equal else rate
        interval = paired_difference(a, b, resamples=resamples).interval
        hits += interval.low <= truth + 1e-9 and interval.high >= truth - 1e-9
    return hits / trials


def main() -> None:
    """Print the table."""
    for seeds in SEEDS:
        head = f"{seeds} seed{'s' * (seeds > 1)}, problems:"
        print(f"    {head:22}" + "".join(f"{n:>8}" for n in PROBLEMS))
        for equal in (False, True):
            for rate in RATES:
                name = f"both {rate:g}" if equal else f"{rate:g} against 0"
                cells = [100 * coverage(n, rate, seeds, equal, 2000) for n in PROBLEMS]
                print(f"    {name:22}" + "".join(f"{cell:>8.1f}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
