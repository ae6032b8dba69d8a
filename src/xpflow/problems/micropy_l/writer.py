"""Spelling the parts of a MicroPy-L program: sources, conditions, values and what is returned.

Programs are templates: names of local variables are roles (`$acc`), which `names.fill` replaces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import permutations
from random import Random

from xpflow.problems.micropy.code import (
    INDENT,
    finish,
    list_condition,
    list_value,
    text_condition,
    text_value,
)
from xpflow.problems.micropy_l.grammar import LISTS, TEXTS, Part, Step, Task
from xpflow.problems.micropy_l.names import Names
from xpflow.problems.micropy_l.words import constant

_INVERSES = {
    "even": ("{x} % 2 == 1", "{x} % 2 != 0"),
    "odd": ("{x} % 2 == 0",),
    "gt": ("{x} <= {k}",),
    "lt": ("{x} >= {k}",),
    "multiple": ("{x} % {k} != 0",),
    "positive": ("{x} <= 0",),
    "negative": ("{x} >= 0",),
    "ne": ("{x} == {k}",),
    "vowel": ("{x} not in 'aeiou'",),
    "consonant": ("{x} in 'aeiou'",),
    "is": ("{x} != {k}",),
    "isnot": ("{x} == {k}",),
}
_CALL = re.compile(r"[\w$.']+\(")


@dataclass(frozen=True, slots=True)
class Writer:
    """A task with the names of its prompt, and the random stream that chooses among spellings."""

    task: Task
    names: Names
    rng: Random

    @property
    def element(self) -> str:
        """The role of an element."""
        return "$c" if self.task.is_text else "$x"

    @property
    def first(self) -> str:
        """The name of the main argument."""
        return self.names.arguments[0]

    @property
    def every_second(self) -> bool:
        """Whether the task begins with every second element."""
        return bool(self.task.steps) and self.task.steps[0].kind == "alternate"

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps behind the source; every second element belongs to the source."""
        return self.task.steps[1:] if self.every_second else self.task.steps

    @property
    def bounds(self) -> tuple[str, str]:
        """First and last number of a source that counts."""
        return ("1", self.first) if self.task.source == "upto" else (self.first, self.names.arguments[1])

    def choice(self, *options: str) -> str:
        """Choose among spellings."""
        return self.rng.choice(options)

    def shuffled(self, lines: list[str]) -> list[str]:
        """Return independent statements in one of their orders."""
        return list(self.rng.choice(list(permutations(lines))))

    def sequence(self) -> str:
        """Spell what holds the elements, as something that can be sliced; digits are characters in it."""
        low, high = self.bounds if self.task.family == "number" and self.task.source != "digits" else ("", "")
        if low:
            return f"range({low}, {high} + 1{', 2' if self.every_second else ''})"
        held = f"str({self.first})" if self.task.source == "digits" else self.first
        return f"{held}[::2]" if self.every_second else held

    def numbers(self) -> str:
        """Spell what a loop or comprehension walks: the elements themselves, digits as numbers."""
        return f"map(int, {self.sequence()})" if self.task.source == "digits" else self.sequence()

    def read(self, held: str) -> str:
        """Spell an element from what `sequence` holds."""
        return f"int({held})" if self.task.source == "digits" else held

    def condition(self, part: Part, x: str) -> str:
        """Spell a filter of the element `x`."""
        x, k = atom(x), constant(part, self.names)
        return text_condition(part.name, x, k) if self.task.is_text else list_condition(part.name, x, k)

    def inverse(self, part: Part, x: str) -> str:
        """Spell when a filter drops the element `x`."""
        if part.name not in _INVERSES:
            return f"not {self.condition(part, x)}"
        spelled = self.choice(*_INVERSES[part.name])
        return spelled.format(x=atom(x), k=constant(part, self.names))

    def value(self, part: Part, x: str) -> str:
        """Spell a map of the element `x`."""
        if part.name == "id":
            return x
        x = x if part.name == "abs" else atom(x)
        if self.task.is_text:
            return text_value(part.name, x)
        return list_value(part.name, x, constant(part, self.names), self.rng)

    def choose(self, step: Step, x: str) -> str:
        """Spell a choice of the element `x` in one expression."""
        kept, yes, no = step.parts
        return f"{self.value(yes, x)} if {self.condition(kept, x)} else {self.value(no, x)}"

    def ended(self, items: str) -> list[str]:
        """Spell the return of what a variable with all elements gives."""
        end, empty = self.task.end, "''" if self.task.is_text else "0"
        if end == "last":
            return self.emptied(items, f"{items}[-1]", empty)
        if end == "spread":
            return self.emptied(items, f"max({items}) - min({items})", empty)
        if end == "count":
            return self.returned(f"len({items})")
        return self.returned(items if end == "list" else finish(end, items))

    def emptied(self, items: str, value: str, empty: str) -> list[str]:
        """Spell the return of a value that needs an element, or of what stands for none."""
        if self.rng.choice((True, False)):
            return self.returned(f"{value} if {items} else {empty}")
        return [f"if not {items}:", *indented(self.nothing(empty)), *self.returned(value)]

    def nothing(self, empty: str) -> list[str]:
        """Spell the return of what no elements give, with the task's touch worked out where it can be."""
        touch = self.task.touch
        if touch is None or touch.name not in ("cap", "floor"):
            return [f"return {empty}"]
        if touch.constant == "@":
            return self.returned(empty)
        return [
            f"return {min(0, int(touch.constant)) if touch.name == 'cap' else max(0, int(touch.constant))}"
        ]

    def returned(self, value: str) -> list[str]:
        """Spell the return of a value, with the task's touch."""
        touch = self.task.touch
        if touch is None:
            return [f"return {value}"]
        k, name = constant(touch, self.names), touch.name
        if name in ("cap", "floor") and " " not in value and self.rng.choice((True, False)):
            before, variable = ([], value) if value.startswith("$") else ([f"$acc9 = {value}"], "$acc9")
            worse = f"{variable} {'>' if name == 'cap' else '<'} {k}"
            return [*before, f"if {worse}:", f"{INDENT}return {k}", f"return {variable}"]
        if name in ("cap", "floor"):
            call = "min" if name == "cap" else "max"
            return [f"return {call}({self.choice(f'{value}, {k}', f'{k}, {value}')})"]
        if name == "modulo":
            return [f"return {atom(value)} % {k}"]
        return [f"return {atom(value)}[{'::-1' if name == 'backwards' else f':{k}'}]"]

    def guard(self) -> list[str]:
        """Return an early return for an empty argument, or nothing; mostly nothing."""
        if self.task.source not in ("list", "text") or self.rng.choice((True, True, True, False)):
            return []
        end = self.task.end
        empty = "[]" if end in LISTS else "''" if self.task.is_text and end in TEXTS else "0"
        return [f"if not {self.first}:", *indented(self.nothing(empty))]


def atom(x: str) -> str:
    """Return an expression as an operand: in parentheses, unless it is a name, a call or a literal."""
    simple = (" " not in x and not x.startswith("-")) or (_CALL.match(x) and _closes_last(x))
    return x if simple else f"({x})"


def _closes_last(x: str) -> bool:
    """Whether the first parenthesis of an expression is closed by its last character."""
    depth = 0
    for place, character in enumerate(x):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0 and character in ")]}":
            return place == len(x) - 1
    return False


def indented(lines: list[str]) -> list[str]:
    """Return lines one level deeper."""
    return [INDENT + line for line in lines]
