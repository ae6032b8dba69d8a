"""A report: what was counted, of whom and when, and the facts that its summary must say."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from xpflow.problems.micropy.splits import Split, split_of_name

VERSION = "microsum-1"
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October")
PEOPLE = (
    "Ada",
    "Ben",
    "Cleo",
    "Dan",
    "Eve",
    "Finn",
    "Gwen",
    "Hugo",
    "Ines",
    "Jon",
    "Kim",
    "Lea",
    "Max",
    "Nora",
)
FEWEST, MOST = 5, 7  # counts of a report
LARGEST = 99


@dataclass(frozen=True, slots=True)
class Topic:
    """What is counted: noun, verb, the places where it happens, and whether people do it."""

    noun: str
    verb: str
    subjects: tuple[str, ...]
    by_person: bool = True


TOPICS = (
    Topic("pears", "sold", ("the market", "the corner shop", "the farm")),
    Topic("books", "lent", ("the library", "the school", "the village hall")),
    Topic("letters", "sorted", ("the post office", "the harbour", "the station")),
    Topic("fish", "caught", ("the lake", "the river", "the pier")),
    Topic("bicycles", "repaired", ("the workshop", "the depot", "the garage")),
    Topic("visitors", "counted", ("the museum", "the castle", "the zoo"), by_person=False),
    Topic("birds", "seen", ("the marsh", "the island", "the park")),
    Topic("loaves", "baked", ("the bakery", "the mill", "the kitchen")),
)


@dataclass(frozen=True, slots=True)
class Report:
    """Counts under labels: days or months in their order (`in_time`), or people.

    All counts differ, so that there is one largest and one smallest.
    """

    topic: Topic
    subject: str
    labels: tuple[str, ...]
    counts: tuple[int, ...]
    in_time: bool

    @property
    def key(self) -> str:
        """Two reports that share a key are one."""
        pairs = ",".join(f"{label}={count}" for label, count in zip(self.labels, self.counts, strict=True))
        return f"{self.topic.noun}|{self.subject}|{pairs}"

    @property
    def most(self) -> tuple[str, int]:
        """Label and number of the largest count."""
        return max(zip(self.labels, self.counts, strict=True), key=lambda pair: pair[1])

    @property
    def least(self) -> tuple[str, int]:
        """Label and number of the smallest."""
        return min(zip(self.labels, self.counts, strict=True), key=lambda pair: pair[1])

    @property
    def rises(self) -> bool:
        """Whether the last count is above the first."""
        return self.counts[-1] > self.counts[0]


def split_of(report: Report) -> Split:
    """Return the split of a report, by a hash of what it says: no report is in two."""
    return split_of_name(VERSION, report.key)


def draw_report(rng: Random, split: Split) -> Report:
    """Draw a report of a split."""
    while True:
        report = _draw(rng)
        if split_of(report) == split:
            return report


def _draw(rng: Random) -> Report:
    topic, size = rng.choice(TOPICS), rng.randint(FEWEST, MOST)
    in_time = not topic.by_person or rng.random() < 0.6
    if in_time:
        names = rng.choice((DAYS, MONTHS))
        start = rng.randrange(len(names) - size + 1)
        labels = names[start : start + size]
    else:
        labels = tuple(rng.sample(PEOPLE, size))
    counts = tuple(rng.sample(range(2, LARGEST + 1), size))
    return Report(topic, rng.choice(topic.subjects), labels, counts, in_time)
