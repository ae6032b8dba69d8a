"""Free names: a program is drawn with roles (`$acc`), and each role then takes a name from a set of its own.

Sets are disjoint, so the number of names that a role can take depends on the arguments alone, and the entropy
of a program's names is exact.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from xpflow.problems.micropy.names import FUNCTIONS, LIST_HELPERS, LISTS, TEXT_HELPERS, TEXTS
from xpflow.problems.micropy_l.grammar import Source, Task

BOUNDS = (("a", "b"), ("low", "high"), ("p", "q"), ("start", "stop"))
COUNTS = ("n", "m", "limit", "k")
# fmt: off
ROLES: dict[str, tuple[str, ...]] = {
    "x": ("x", "v", "e", "item", "num", "el", "z", "u"),  # an element
    "y": ("y", "w", "new", "val", "after", "other"),  # a changed element
    "c": ("c", "ch", "d", "char", "g", "sign"),  # a character
    "acc": ("total", "acc", "res", "result", "answer", "amount"),
    "out": ("out", "ys", "found", "made", "outcome", "ready"),
    "part": ("part", "kept", "left", "chosen", "some", "taken"),
    "seen": ("seen", "known", "met", "before"),
    "run": ("run", "running", "so_far", "level"),
    "best": ("best", "top", "record", "peak"),
    "i": ("i", "j", "pos", "index", "at", "place"),
    "rest": ("rest", "tail", "more", "todo"),
    "go": ("go", "walk", "step", "visit"),
    "keep": ("keep", "wanted", "fits", "ok"),
    "change": ("change", "convert", "moved", "turn"),
}
# fmt: on
_ROLE = re.compile(r"\$([a-z]+)([0-9]?)")


@dataclass(frozen=True, slots=True)
class Names:
    """What a prompt says: the names of the function and of its arguments."""

    function: str
    arguments: tuple[str, ...]


def draw_names(rng: Random, task: Task) -> Names:
    """Draw the names of a function and its arguments."""
    return Names(rng.choice(FUNCTIONS), _draw_arguments(rng, task.source, task.has_helper))


def _draw_arguments(rng: Random, source: Source, helper: bool) -> tuple[str, ...]:
    if source == "between":
        return rng.choice(BOUNDS)
    if source in ("upto", "digits"):
        return (rng.choice(COUNTS),)
    first, second = (LISTS, LIST_HELPERS) if source == "list" else (TEXTS, TEXT_HELPERS)
    return (rng.choice(first), rng.choice(second)) if helper else (rng.choice(first),)


def fill(template: str, arguments: Sequence[str], rng: Random) -> str:
    """Return a program with a name for every role, in order of appearance; no two roles share one."""
    taken: dict[str, str] = {}
    for role, free in roles_of(template, arguments):
        taken[role] = rng.choice([name for name in free if name not in taken.values()])
    return _ROLE.sub(lambda found: taken[found[0]], template)


def roles_of(template: str, arguments: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Return each role of a template by appearance, with the names that the arguments leave to it."""
    found = dict.fromkeys((match[0], match[1]) for match in _ROLE.finditer(template))
    return [(role, [name for name in ROLES[kind] if name not in arguments]) for role, kind in found]


def numbered(template: str) -> str:
    """Return a template whose roles of a kind are numbered by appearance: equal programs, equal texts."""
    numbers: dict[str, dict[str, int]] = {}

    def role(match: re.Match[str]) -> str:
        known = numbers.setdefault(match[1], {})
        return f"${match[1]}{known.setdefault(match[2], len(known) + 1)}"

    return _ROLE.sub(role, template)


def name_bits(template: str, arguments: Sequence[str]) -> float:
    """Return the entropy, in bits, of the names that `fill` draws for a template."""
    used: dict[str, int] = {}
    total = 0.0
    for role, free in roles_of(template, arguments):
        kind = role.rstrip("0123456789")
        total += math.log2(len(free) - used.get(kind, 0))
        used[kind] = used.get(kind, 0) + 1
    return total
