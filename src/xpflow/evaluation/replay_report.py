"""What replayed samples say: whether all is equal on one device class, how many verdicts flip on another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from xpflow.evaluation.replay import DeviceClass, Replayed
from xpflow.stats.intervals import wilson


def report(done: Sequence[Replayed], here: DeviceClass) -> tuple[bool, list[str]]:
    """Return whether what has to be equal is, and the report in lines.

    Samples without a manifest are held to be of the class that they were replayed on.
    """
    classes: dict[DeviceClass, list[Replayed]] = defaultdict(list)
    for one in done:
        classes[one.made_on or here].append(one)
    own = classes.pop(here, [])
    different = [one for one in own if not one.same or one.flipped]
    lines = [*(_difference(one) for one in different)]
    if own or not classes:
        equal = len(own) - len(different)
        lines.append(f"replayed {len(own)} samples: {equal} the same, token for token and in their verdicts")
    for other, rows in classes.items():
        lines += _flips(rows, other, here)
    return not different, lines


def _flips(rows: Sequence[Replayed], other: DeviceClass, here: DeviceClass) -> Iterator[str]:
    """Yield what became of the samples of another device class."""
    yield from (_difference(one) for one in rows if one.flipped)
    same, flipped, total = sum(one.same for one in rows), sum(one.flipped for one in rows), len(rows)
    spread = wilson(flipped, total).scaled(100)
    yield f"replayed {total} samples on another device class: made on {other}; here {here}"
    yield (
        f"  the same tokens in {same} of {total}; verdicts flipped in {flipped} of {total}: "
        f"{100 * flipped / total:.1f} % [{spread.low:.1f}, {spread.high:.1f}]"
    )


def _difference(one: Replayed) -> str:
    tokens = "same" if one.same else "other"
    then, now = one.verdicts
    return f"differs       {one.place} {one.task_id}: {tokens} tokens, {then} -> {now}"
