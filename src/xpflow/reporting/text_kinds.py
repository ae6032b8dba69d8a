"""What runs of block `text` are, read from their settings and not from their names.

Three questions: is the order learned, do the masks carry noise, and what taught the model several words at
once. Runs that differ in one answer only are what figures and the papers' numbers are held against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xpflow.reporting.text_results import Trained, updates_of
from xpflow.study.config.text import TextBlock, TextRun
from xpflow.study.text_tables import NOISY

PLAIN = ("masked", "order_expressive")
BOUND = "bound"  # taught by the bound alone


@dataclass(frozen=True, slots=True)
class Match:
    """A run with a learned order, a plain one, and what is equal of them."""

    learned: Trained
    plain: Trained
    equal: str


@dataclass(frozen=True, slots=True)
class Taught:
    """What taught some runs, its label, and the runs with plain and with noisy masks, where they exist."""

    teacher: str
    label: str
    plain: Trained | None
    noisy: Trained | None


def learned_order(block: TextBlock, one: Trained) -> bool:
    """Say whether the schedule is learned."""
    return block.of(one.run, one.world).get("schedule") == "learned"


def noisy_masks(block: TextBlock, run: TextRun, world: str) -> bool:
    """Say whether masks carry noise of which there is more than one value."""
    settings = block.of(run, world)
    one_mask = settings.get("noise") == "table" and settings.get("masks", 2) == 1
    return run.objective in NOISY and not one_mask and bool(settings.get("infinite", True))


def taught_by(block: TextBlock, run: TextRun, world: str) -> str:
    """Return what taught a run: "bound", "signs", "ReDi 512", "SDTT", or a chain as "SDTT, ReDi 512"."""
    own = BOUND
    if run.couplings is not None:
        own = f"ReDi {run.couplings.count}"
    elif run.objective == "self_distillation":
        own = "SDTT"
    elif (coupling := block.of(run, world).get("coupling", "none")) != "none":
        own = str(coupling)
    before = next((one for one in block.runs if one.name == run.start), None)
    first = BOUND if before is None else taught_by(block, before, world)
    chain = [name for name in (*first.split(", "), own) if name != BOUND]
    return ", ".join(dict.fromkeys(chain)) or BOUND


def taught_alike(block: TextBlock, runs: Sequence[Trained]) -> list[Taught]:
    """Return a world's runs by what taught them, and for how many updates: plain masks beside noisy ones.

    Of several that are alike it is the last; of those that the bound alone taught it is the first.
    """
    found: dict[tuple[str, int], dict[bool, Trained]] = {}
    for one in runs:
        taught, noisy = taught_by(block, one.run, one.world), noisy_masks(block, one.run, one.world)
        if _constant(block, one) and one.run.objective in (*PLAIN, *NOISY):
            sides = found.setdefault((taught, 0 if taught == BOUND else updates_of(block, one.run)), {})
            sides[noisy] = sides.get(noisy, one) if taught == BOUND else one
    names = [taught for taught, _ in found]
    return [
        Taught(
            taught,
            taught if names.count(taught) == 1 else f"{taught}, {updates} updates",
            sides.get(False),
            sides.get(True),
        )
        for (taught, updates), sides in found.items()
    ]


def matches(block: TextBlock, runs: Sequence[Trained]) -> list[Match]:
    """Return each run with a learned order beside masked diffusion at equal updates, states and forwards.

    An update with a learned order sees two noisy states of a sentence and takes three forwards; masked
    diffusion sees one, or with `states` two. At equal updates the plain run has the same sentences, one state
    each. Of equal states it had better have the same sentences, too: twice as many are another thing.
    """
    plain = [one for one in runs if one.run.start is None and _constant(block, one) and _masked(block, one)]
    found = []
    for learned in (one for one in runs if learned_order(block, one)):
        wanted = (_updates(block, learned), learned.batch)
        same = [one for one in plain if (_updates(block, one), one.batch) == wanted]
        seen = [one for one in plain if _states(block, one) == _states(block, learned)]
        equal = {
            "updates": [one for one in same if _states_each(block, one) == 1],
            "noisy states": [*(one for one in seen if one in same), *seen],
            "forwards": [one for one in plain if one.spent == learned.spent],
        }
        found += [Match(learned, some[0], name) for name, some in equal.items() if some]
    return found


def _updates(block: TextBlock, one: Trained) -> int:
    return updates_of(block, one.run)


def _states_each(block: TextBlock, one: Trained) -> int:
    return int(block.of(one.run, one.world).get("states") or 1 + learned_order(block, one))


def _states(block: TextBlock, one: Trained) -> int:
    return _updates(block, one) * one.batch * _states_each(block, one)


def _masked(block: TextBlock, one: Trained) -> bool:
    return one.run.objective in PLAIN and taught_by(block, one.run, one.world) == BOUND


def _constant(block: TextBlock, one: Trained) -> bool:
    return str(block.of(one.run, one.world).get("schedule", "constant")) == "constant"
