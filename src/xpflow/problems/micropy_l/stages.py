"""Programs that handle all elements at once: comprehensions step by step, and inner functions."""

from __future__ import annotations

from dataclasses import dataclass, field

from xpflow.problems.micropy.code import INDENT, inline
from xpflow.problems.micropy_l.grammar import Step
from xpflow.problems.micropy_l.writer import Writer, indented

INLINE = frozenset({"sum", "max", "min", "list", "sorted", "distinct", "join", "reversed"})


@dataclass(slots=True)
class Stages:
    """A program as it is written: its statements, and the comprehension that the next steps go into."""

    writer: Writer
    held: str  # what the comprehension walks
    lines: list[str] = field(default_factory=list)
    parts: int = 0
    value: str = ""  # of an element, where it is changed
    conditions: list[str] = field(default_factory=list)

    @property
    def clause(self) -> str:
        """The comprehension without its brackets."""
        x = self.writer.element
        kept = f" if {' and '.join(self.conditions)}" if self.conditions else ""
        return f"{self.value or x} for {x} in {self.held}{kept}"

    @property
    def is_plain(self) -> bool:
        """Whether the comprehension would change nothing."""
        return not self.value and not self.conditions

    def name(self) -> str:
        """Return the role of the next list."""
        self.parts += 1
        return f"$part{self.parts}"

    def close(self) -> str:
        """Give the elements so far a name, unless they have one that can be used twice; returns it."""
        is_named = self.held.startswith("$") or self.held == self.writer.first
        if not self.is_plain or not is_named:
            name = self.name()
            whole = self.held if self.held.endswith("[::2]") else f"list({self.held})"
            self.lines.append(f"{name} = {whole if self.is_plain else f'[{self.clause}]'}")
            self.held, self.value, self.conditions = name, "", []
        return self.held

    def step(self, step: Step) -> None:
        """Write one step."""
        writer, x = self.writer, self.writer.element
        if step.kind == "filter":
            if self.value:
                self.close()
            self.conditions.append(writer.condition(step.parts[0], x))
        elif step.kind == "map":
            self.value = writer.value(step.parts[0], self.value or x)
        elif step.kind == "choose":
            if self.value:
                self.close()
            self.value = writer.choose(step, x)
        elif step.kind == "dedupe":
            held = (
                self.held
                if self.is_plain
                else f"[{self.clause}]"
                if writer.rng.choice((True, False))
                else self.close()
            )
            name = self.name()
            self.lines.append(f"{name} = list(dict.fromkeys({held}))")
            self.held, self.value, self.conditions = name, "", []
        elif step.kind == "running":
            self.running(self.close())
        else:
            self.until(step)

    def running(self, held: str) -> None:
        """Write running totals: by sums of slices, or by a loop."""
        name = self.name()
        if self.writer.rng.choice((True, False)):
            self.lines.append(f"{name} = [sum({held}[:$i + 1]) for $i in range(len({held}))]")
        else:
            before = self.writer.shuffled([f"{name} = []", "$run = 0"])
            x = self.writer.element
            self.lines += [
                *before,
                f"for {x} in {held}:",
                f"{INDENT}$run += {x}",
                f"{INDENT}{name}.append($run)",
            ]
        self.held = name

    def until(self, step: Step) -> None:
        """Write the elements before the first of some kind: a loop that ends early."""
        x = self.writer.element
        held, name = self.held if self.is_plain else self.close(), self.name()
        condition = self.writer.condition(step.parts[0], x)
        inner = [f"if {condition}:", f"{INDENT}break", f"{name}.append({x})"]
        self.lines += [f"{name} = []", f"for {x} in {held}:", *indented(inner)]
        self.held = name


def stages(writer: Writer) -> list[str]:
    """Write every step as a list of its own."""
    found = Stages(writer, writer.numbers())
    for step in writer.steps:
        found.step(step)
        if not found.is_plain:
            found.close()
    held = found.close()
    return [*writer.guard(), *found.lines, *writer.ended(held)]


def expression(writer: Writer) -> list[str]:
    """Write as much as possible into one comprehension, and the end around it."""
    found = Stages(writer, writer.numbers())
    for step in writer.steps:
        found.step(step)
    return _around(found)


def _around(found: Stages) -> list[str]:
    """Return the statements so far, and the end around the open comprehension."""
    writer, end = found.writer, found.writer.task.end
    kept = " and ".join(found.conditions)
    if (end == "count" and kept) or (end in INLINE and not found.is_plain):
        value = inline(end, found.clause, kept, writer.element, found.held, writer.rng)
        return [*found.lines, *writer.returned(value)]
    held = found.close()
    return [*found.lines, *writer.ended(held)]


def is_split(writer: Writer) -> bool:
    """Whether a task first filters, then maps, so that inner functions can do both."""
    kinds = [step.kind for step in writer.steps]
    maps = [kind in ("map", "choose") for kind in kinds]
    return (
        bool(kinds)
        and all(m or k == "filter" for m, k in zip(maps, kinds, strict=True))
        and maps == sorted(maps)
    )


def inner_functions(writer: Writer) -> list[str]:
    """Write an inner function for what is kept, one for how it is changed, and a comprehension of calls."""
    x = writer.element
    found = Stages(writer, writer.numbers())
    filters = [step for step in writer.steps if step.kind == "filter"]
    changes = [step for step in writer.steps if step.kind != "filter"]
    functions: list[list[str]] = []
    if filters:
        condition = " and ".join(writer.condition(step.parts[0], x) for step in filters)
        functions.append([f"def $keep({x}):", f"{INDENT}return {condition}"])
        found.conditions = [f"$keep({x})"]
    if changes:
        functions.append([f"def $change({x}):", *indented(_changes(writer, changes, x))])
        found.value = f"$change({x})"
    ordered = writer.rng.choice((functions, functions[::-1]))
    return [*(line for function in ordered for line in function), *_around(found)]


def _changes(writer: Writer, changes: list[Step], x: str) -> list[str]:
    """Write the body of a function that changes an element: a choice returns early."""
    lines = []
    for step in changes[:-1]:
        value = writer.value(step.parts[0], x) if step.kind == "map" else writer.choose(step, x)
        lines.append(f"{x} = {value}")
    last = changes[-1]
    if last.kind == "map":
        return [*lines, f"return {writer.value(last.parts[0], x)}"]
    kept, yes, no = last.parts
    early = [f"if {writer.condition(kept, x)}:", f"{INDENT}return {writer.value(yes, x)}"]
    return [*lines, *early, f"return {writer.value(no, x)}"]
