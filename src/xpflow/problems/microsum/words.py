"""The words of reports and summaries, and the facts of a summary as its judge reads them.

Every wording has the word by which a fact is known (`most`, `fewest`, `rose`) before the fact's label and
number, and no other such word between: `xpflow.problems.shapes.summary` reads summaries by these words.
"""

from __future__ import annotations

from random import Random

from xpflow.problems.microsum.report import MONTHS, Report

TOP, BOTTOM = ("most", "highest", "best"), ("fewest", "lowest", "worst")
UP, DOWN = ("rose", "grew", "climbed"), ("fell", "shrank", "dropped")
ASIDES = (
    "The weather was fair.",
    "Nobody complained.",
    "The door was painted green.",
    "A dog slept in the sun.",
    "Tea was served as usual.",
    "The clock was late again.",
    "Two windows stood open.",
    "A band played outside.",
)
ASIDES_SHARE = 0.2  # of counts that something useless follows
JOINED_SHARE = 0.3  # of summaries with two parts that are one sentence


def document(report: Report, rng: Random) -> str:
    """Return a report as sentences, with some that tell nothing between them."""
    topic, wording = report.topic, rng.randrange(3)
    sentences = [f"A report on {report.subject}."]
    for label, count in zip(report.labels, report.counts, strict=True):
        texts = (
            f"{label}: {count} {topic.noun}.",
            f"{count} {topic.noun} were {topic.verb} {_when(report, label)}.",
            f"There were {count} {topic.noun} {topic.verb} {_when(report, label)}.",
        )
        sentences.append(texts[wording])
        if rng.random() < ASIDES_SHARE:
            sentences.append(rng.choice(ASIDES))
    return " ".join(sentences)


def summary(report: Report, rng: Random) -> str:
    """Return a summary in one of its wordings, as one sentence or two."""
    parts = [_extremes(report, rng)]
    if report.in_time:
        parts.insert(rng.randrange(2), _course(report, rng))
        if rng.random() < JOINED_SHARE:
            parts = [", and ".join(parts)]
    return " ".join(f"{part[0].upper()}{part[1:]}." for part in parts)


def facts(report: Report) -> tuple[str, ...]:
    """Return what a summary must say: words of which one tells the fact, then what follows them in order."""
    (top, most), (bottom, least) = report.most, report.least
    found = [f"{'|'.join(TOP)} {top} {most}", f"{'|'.join(BOTTOM)} {bottom} {least}"]
    if report.in_time:
        verbs = UP if report.rises else DOWN
        found.append(f"{'|'.join(verbs)} {report.counts[0]} {report.counts[-1]}")
    return tuple(found)


def _extremes(report: Report, rng: Random) -> str:
    """Return the largest and the smallest count, in either order; what both share is said once."""
    topic, ends = report.topic, [(TOP, *report.most), (BOTTOM, *report.least)]
    place = rng.choice(("", f" at {report.subject}"))
    if rng.random() < 0.5:
        ends.reverse()
    (first, label, count), (second, other, rest) = ends
    kind = "person" if not report.in_time else "month" if label in MONTHS else "day"
    forms = (
        f"the {first[0]} {topic.noun}{place} were {topic.verb} {_when(report, label)}, {count}, "
        f"the {second[0]} {_when(report, other)}, {rest}",
        f"the {first[1]} number of {topic.noun}{place} was that of {label} with {count}, "
        f"the {second[1]} that of {other} with {rest}",
        f"the {first[2]} {kind}{place} was {label} ({count} {topic.noun}), the {second[2]} {other} ({rest})",
    )
    return rng.choice(forms)


def _course(report: Report, rng: Random) -> str:
    """Return from what to what the counts went."""
    verb, start, end = rng.choice(UP if report.rises else DOWN), report.counts[0], report.counts[-1]
    name = rng.choice(("the number", "the count"))
    return rng.choice(
        (
            f"{name} {verb} from {start} to {end}",
            f"{name} {verb} from {start} at first to {end} in the end",
            f"from {report.labels[0]} to {report.labels[-1]} {name} {verb} from {start} to {end}",
        )
    )


def _when(report: Report, label: str) -> str:
    if not report.in_time:
        return f"by {label}"
    return f"in {label}" if label in MONTHS else f"on {label}"
