"""What replayed samples say: whether all is equal on one device class, what differs on another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from xpflow.auditing.device_class import DeviceClass
from xpflow.auditing.replay import Replayed
from xpflow.stats.intervals import wilson


def report(done: Sequence[Replayed], here: DeviceClass) -> tuple[bool, list[str]]:
    """Return whether what has to be equal is, and the report in lines.

    Samples without a manifest are held to be of the class that they were replayed on.
    """
    failed = [one for one in done if one.failed]
    classes: dict[DeviceClass, list[Replayed]] = defaultdict(list)
    for one in done:
        if not one.failed:
            classes[one.made_on or here].append(one)
    own = classes.pop(here, [])
    different = [one for one in own if one.differs]
    lines = [f"not replayed  {one.place} {one.task_id}: {one.failed}" for one in failed]
    lines += [_difference(one) for one in different]
    if own or not (classes or failed):
        equal = len(own) - len(different)
        lines.append(f"replayed {len(own)} samples: {equal} the same in tokens, NFE, answer and verdict")
    for there, rows in classes.items():
        lines += _elsewhere(rows, there, here)
    return not different and not any(one.wrong for one in done), lines


def _elsewhere(rows: Sequence[Replayed], there: DeviceClass, here: DeviceClass) -> Iterator[str]:
    """Yield what became of the samples of another device class."""
    yield from (_difference(one) for one in rows if one.flipped or one.wrong)
    total, flipped = len(rows), sum(one.flipped for one in rows)
    spread = wilson(flipped, total).scaled(100)
    yield f"replayed {total} samples on another device class: made on {there}; here {here}"
    yield (
        f"  the same tokens in {sum('tokens' not in one.differs for one in rows)} of {total}; "
        f"verdicts flipped in {flipped} of {total}: "
        f"{100 * flipped / total:.1f} % [{spread.low:.1f}, {spread.high:.1f}]"
    )
    then, now = (sum(one.nfe[place] for one in rows) / total for place in (0, 1))
    other = [one for one in rows if "nfe" in one.differs]
    same = sum("tokens" not in one.differs for one in other)
    yield f"  another NFE in {len(other)} of {total} ({same} with the same tokens): mean {then:g} -> {now:g}"
    if same := sum(one.flipped and "completion" not in one.differs for one in rows):
        yield f"  {same} of the flipped verdicts are of the same answer: no rounding explains these"


def _difference(one: Replayed) -> str:
    said = {"nfe": "NFE {:g} -> {:g}".format(*one.nfe), "verdict": "{} -> {}".format(*one.verdicts)}
    said["completion"] = "other answer"
    words = [said.get(name, f"other {name}") for name in one.differs]
    return f"differs       {one.place} {one.task_id}: {', '.join(words)}"
