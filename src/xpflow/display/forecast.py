"""How long the jobs of a run will take: as long as others of their rule in this run, else as was expected.

What is expected stands in a file that `xpflow config check --times` writes before the first job: seconds of
the last run, and of the plan where there was none. Where this machine is faster or slower, all is scaled.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from xpflow.artifacts.io import atomic_write_text

EXPECTED = "expected.json"  # in a study's folder of times
BELIEF_S = 30.0  # how many seconds of work have to be seen before they weigh as much as what was expected


def write_expected(folder: Path, seconds: Mapping[str, float]) -> None:
    """Write what a job of each rule should take into a study's folder of times."""
    rounded = {rule: round(value, 2) for rule, value in sorted(seconds.items())}
    atomic_write_text(folder / EXPECTED, json.dumps({"seconds": rounded}, indent=1) + "\n")


@dataclass
class Forecast:
    """Seconds of a job, by rule."""

    expected: dict[str, float] = field(default_factory=dict)
    seen: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def read(self, folder: Path) -> None:
        """Read what is expected from a study's folder of times; nothing is where there is no such file."""
        try:
            found = json.loads((folder / EXPECTED).read_text(encoding="utf-8"))["seconds"]
            self.expected = {str(rule): float(seconds) for rule, seconds in found.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            self.expected = {}

    def learn(self, rule: str, seconds: float) -> None:
        """Note what a job took."""
        self.seen[rule].append(seconds)

    def seconds(self, rule: str, speeds: Mapping[str, float] | None = None) -> float | None:
        """Return what a job of a rule takes; `speeds`: of rules of which none is done yet but some run."""
        if found := self.seen.get(rule):
            return sum(found) / len(found)
        if speeds and rule in speeds:
            return speeds[rule]
        expected = self.expected.get(rule, self.expected.get(rule.partition("_")[0]))
        return None if expected is None else expected * self._scale()

    def work(self, waiting: Mapping[str, int], speeds: Mapping[str, float]) -> float | None:
        """Return the seconds of all jobs that wait; None where most of their rules are unknown."""
        rules = [rule for rule, count in waiting.items() if count]
        known = {rule: self.seconds(rule, speeds) for rule in rules}
        found = [seconds for seconds in known.values() if seconds is not None]
        if len(found) < len(rules) / 2:
            return None
        mean = sum(found) / len(found) if found else 0.0
        each = ((known[rule], waiting[rule]) for rule in rules)
        return sum((mean if seconds is None else seconds) * count for seconds, count in each)

    def _scale(self) -> float:
        """Return how much longer than expected the jobs so far took; little work seen changes little."""
        pairs = [
            (sum(found), len(found) * self.expected[rule])
            for rule, found in self.seen.items()
            if found and rule in self.expected
        ]
        took, expected = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
        return (took + BELIEF_S) / (expected + BELIEF_S)
