"""The grammar of MicroPy-L: a source of elements, two or three steps, an end, perhaps a last touch.

"Take the numbers in xs, keep the even numbers, add 3 to each, and return their sum, but at most 20" has the
source `list`, the steps `filter even` and `map add 3`, the end `sum` and the touch `cap 20`. Filters and maps
are MicroPy's. Constants are small integers or, in tasks over a list or a text, the helper argument (`@`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple

from xpflow.problems.micropy.grammar import (
    CONSTANTS,
    FILTERS_WITH_CONSTANT,
    LIST_FILTERS,
    LIST_MAPS,
    MAPS_WITH_CONSTANT,
    TEXT_FILTERS,
    TEXT_MAPS,
)

Source = Literal["list", "text", "upto", "between", "digits"]
Role = Literal["filter", "map", "touch"]
Kind = Literal["filter", "map", "choose", "until", "running", "dedupe", "alternate"]

SOURCES: tuple[Source, ...] = ("list", "list", "text", "upto", "between", "digits")  # a list twice as often
ELEMENTWISE: frozenset[Kind] = frozenset({"filter", "map", "choose"})
NUMBER_KINDS: tuple[Kind, ...] = ("filter", "filter", "map", "choose", "choose", "until", "running", "dedupe")
TEXT_KINDS: tuple[Kind, ...] = ("filter", "filter", "map", "choose", "choose", "until", "dedupe")
NUMBER_ENDS = ("sum", "max", "min", "count", "distinct", "list", "sorted", "last", "spread")
TEXT_ENDS = ("join", "reversed", "list", "count", "distinct", "last")
LISTS, TEXTS = frozenset({"list", "sorted"}), frozenset({"join", "reversed", "last"})
NUMBER_TOUCHES = ("cap", "floor", "modulo")
LIST_TOUCHES = ("backwards", "first")
LIMITS = (10, 12, 15, 20, 25, 30, 40)
# Never true or never false of the elements of a source: a filter that would not matter.
IDLE = {
    "upto": frozenset({"positive", "negative"}),
    "digits": frozenset({"positive", "negative"}),
    "between": frozenset({"positive", "negative"}),
}


class Part(NamedTuple):
    """A filter, a map or a touch, with its constant: a number, `@` for the helper argument, or none."""

    name: str
    constant: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to the elements.

    A filter keeps what its part describes, `until` ends at the first of it; a map changes every element; a
    choice has three parts: a filter, the map of what it keeps, and the map of the others.
    """

    kind: Kind
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """One task; `touch` (None: the end's value as it is) is the last part."""

    source: Source
    steps: tuple[Step, ...]
    end: str
    touch: Part | None = None

    @property
    def family(self) -> Literal["list", "text", "number"]:
        """What the first argument is."""
        return self.source if self.source in ("list", "text") else "number"

    @property
    def parts(self) -> Iterator[Part]:
        """All parts, in order."""
        for step in self.steps:
            yield from step.parts
        if self.touch is not None:
            yield self.touch

    @property
    def roles(self) -> Iterator[Role]:
        """What each part is, in order."""
        for step in self.steps:
            yield from ("map",) if step.kind == "map" else ("filter", "map", "map")[: len(step.parts)]  # type: ignore[misc]
        if self.touch is not None:
            yield "touch"

    @property
    def constants(self) -> tuple[str, ...]:
        """The constants of the parts that have one."""
        return tuple(part.constant for part in self.parts if part.constant)

    @property
    def has_helper(self) -> bool:
        """Whether the function takes a helper argument beside its main one."""
        return "@" in self.constants

    @property
    def is_text(self) -> bool:
        """Whether the elements are characters."""
        return self.source == "text"

    @property
    def combination(self) -> tuple[str, ...]:
        """Source, kinds of steps, names of parts and end: what the splits hold out. No constants."""
        steps = [":".join((step.kind, *(part.name for part in step.parts))) for step in self.steps]
        return (self.source, *steps, self.end, self.touch.name if self.touch else "")

    @property
    def key(self) -> str:
        """A name that two tasks share exactly when they have the same parts and constants."""
        return "|".join((*self.combination, *self.constants))


def draw_task(rng: Random) -> Task:
    """Draw a task of any split; it may still be idle (`semantics.is_sensible`)."""
    source = rng.choice(SOURCES)
    steps = _draw_steps(source, rng)
    end = rng.choice(TEXT_ENDS if source == "text" else NUMBER_ENDS)
    task = Task(source, steps, end, _draw_touch(source, end, rng))
    return _with_helper(task, rng) if source == "list" and rng.random() < 0.5 else task


def _draw_steps(source: Source, rng: Random) -> tuple[Step, ...]:
    """Draw steps; choices, totals and so on come once, every second element first or not at all."""
    kinds = list(TEXT_KINDS if source == "text" else NUMBER_KINDS)
    found: list[Step] = []
    for _ in range(rng.choice((2, 2, 3))):
        kind = rng.choice(kinds)
        found.append(_draw_step(source, kind, rng))
        if kind not in ("filter", "map"):
            kinds = [other for other in kinds if other != kind]
    if rng.random() < 0.1:
        found[0] = Step("alternate")
    return tuple(found)


def _draw_step(source: Source, kind: Kind, rng: Random) -> Step:
    if kind in ("running", "dedupe"):
        return Step(kind)
    kept = _draw_part(source, "filter", rng)
    if kind in ("filter", "until"):
        return Step(kind, (kept,))
    changed = _draw_part(source, "map", rng)
    if kind == "map":
        return Step(kind, (changed,))
    other = Part("id") if rng.random() < 0.4 else _draw_part(source, "map", rng)
    return Step(kind, (kept, changed, other))


def _draw_part(source: Source, kind: Literal["filter", "map"], rng: Random) -> Part:
    if source == "text":
        name = rng.choice((TEXT_FILTERS if kind == "filter" else TEXT_MAPS)[1:])
        return Part(name, "@" if name in ("is", "isnot") else "")
    idle = IDLE.get(source, frozenset())
    name = rng.choice([n for n in (LIST_FILTERS if kind == "filter" else LIST_MAPS)[1:] if n not in idle])
    needs = name in (FILTERS_WITH_CONSTANT if kind == "filter" else MAPS_WITH_CONSTANT)
    return Part(name, str(rng.choice(CONSTANTS)) if needs else "")


def _draw_touch(source: Source, end: str, rng: Random) -> Part | None:
    """Draw what happens to the value at the end: nothing for texts, and for half of the others."""
    if (source == "text" and end in TEXTS) or rng.random() < 0.5:
        return None
    if end in LISTS:
        name = rng.choice(LIST_TOUCHES)
        return Part(name, str(rng.choice(CONSTANTS[:3])) if name == "first" else "")
    name = rng.choice(NUMBER_TOUCHES)
    return Part(name, str(rng.choice(CONSTANTS if name == "modulo" or source == "text" else LIMITS)))


def _with_helper(task: Task, rng: Random) -> Task:
    """Let the helper argument stand for one constant of a task, if it has any."""
    parts = list(task.parts)
    places = [i for i, part in enumerate(parts) if part.constant]
    if places:
        place = rng.choice(places)
        parts[place] = Part(parts[place].name, "@")
    return with_parts(task, parts)


def with_parts(task: Task, parts: list[Part]) -> Task:
    """Return a task of the same steps with other parts, as many as it has."""
    left, steps = iter(parts), []
    for step in task.steps:
        steps.append(Step(step.kind, tuple(next(left) for _ in step.parts)))
    return Task(task.source, tuple(steps), task.end, next(left, None))
