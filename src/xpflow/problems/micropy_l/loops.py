"""Programs that go through the elements one by one: loops with accumulators, and recursion."""

from __future__ import annotations

from dataclasses import dataclass, field

from xpflow.problems.micropy.code import INDENT
from xpflow.problems.micropy_l.grammar import ELEMENTWISE, Part, Step
from xpflow.problems.micropy_l.writer import Writer, indented

SINGLE_USE = frozenset(
    {"sum", "list", "sorted", "join", "reversed", "last", "spread"}
)  # ends that name it once
ORDERLESS = frozenset({"sum", "max", "min", "count", "distinct", "sorted", "spread"})
RECURSIVE = {"sum": "0", "count": "0", "list": "[]", "join": "''", "reversed": "''"}
COLLECTED = frozenset({"list", "sorted", "spread"})


@dataclass(slots=True)
class Loop:
    """The inside of a loop as it is written: statements before it, and how filters drop an element."""

    writer: Writer
    flat: bool  # filters drop by `continue`, or nest
    collect: bool  # the end sees a list of all elements, or an accumulator
    before: list[str] = field(default_factory=list)
    changed: int = 0

    def inside(self, steps: tuple[Step, ...], x: str, *, free: bool) -> list[str]:
        """Return the statements that handle one element `x`; `free`: it may be assigned to."""
        if not steps:
            return self.end(x)
        step, rest = steps[0], steps[1:]
        if step.kind in ("map", "choose"):
            return self.change(step, rest, x, free=free)
        if step.kind == "running":
            self.before.append("$run = 0")
            return [f"$run += {x}", *self.inside(rest, "$run", free=False)]
        if step.kind == "dedupe":
            kind = self.writer.choice("list", "set")
            self.before.append("$seen = []" if kind == "list" else "$seen = set()")
            note = f"$seen.{'append' if kind == 'list' else 'add'}({x})"
            return self.dropped(
                f"{x} not in $seen", f"{x} in $seen", [note, *self.inside(rest, x, free=free)]
            )
        kept = step.parts[0]
        if step.kind == "until":
            condition = self.writer.condition(kept, x)
            return [f"if {condition}:", f"{INDENT}break", *self.inside(rest, x, free=free)]
        conditions, inverse = self.writer.condition(kept, x), self.writer.inverse(kept, x)
        while rest and rest[0].kind == "filter":
            inverse = f"{inverse} or {self.writer.inverse(rest[0].parts[0], x)}"
            conditions = f"{conditions} and {self.writer.condition(rest[0].parts[0], x)}"
            rest = rest[1:]
        return self.dropped(conditions, inverse, self.inside(rest, x, free=free))

    def dropped(self, keep: str, drop: str, inner: list[str]) -> list[str]:
        """Run some statements for elements that are kept alone."""
        if self.flat:
            return [f"if {drop}:", f"{INDENT}continue", *inner]
        return [f"if {keep}:", *indented(inner)]

    def change(self, step: Step, rest: tuple[Step, ...], x: str, *, free: bool) -> list[str]:
        """Change the element in place, under a new name, or inside the expression that uses it."""
        writer = self.writer
        ways = ["new", "same"] if free else ["new"]
        if not rest and (self.collect or writer.task.end in SINGLE_USE):
            ways += ["inline"] if step.kind == "map" else ["inline", "branches"]
        way = writer.choice(*ways)
        if way == "inline":
            return self.end(writer.value(step.parts[0], x) if step.kind == "map" else writer.choose(step, x))
        if way == "branches":
            kept, yes, no = step.parts
            ends = [self.end(writer.value(part, x)) for part in (yes, no)]
            return [f"if {writer.condition(kept, x)}:", *indented(ends[0]), "else:", *indented(ends[1])]
        self.changed += way == "new"
        target = f"$y{self.changed}" if way == "new" else x
        return [*assigned(writer, step, target, x), *self.inside(rest, target, free=True)]

    def end(self, x: str) -> list[str]:
        """Add an element to what is returned."""
        end = self.writer.task.end
        if self.collect:
            return [f"$out.append({x})"]
        if end == "sum":
            return [f"$acc += {x}"]
        if end == "count":
            return ["$acc += 1"]
        if end == "join":
            return [f"$acc += {x}"]
        if end == "reversed":
            return [f"$acc = {x} + $acc" if " " not in x else f"$acc = ({x}) + $acc"]
        if end == "last":
            return [f"$acc = {x}"]
        if end == "distinct":
            return [f"$out.add({x})"]
        return [f"if $best is None or {x} {'>' if end == 'max' else '<'} $best:", f"{INDENT}$best = {x}"]

    def start(self) -> str:
        """Return the statement that starts the accumulator."""
        if self.collect:
            return "$out = []"
        end, text = self.writer.task.end, self.writer.task.is_text
        starts = {"distinct": "$out = set()", "max": "$best = None", "min": "$best = None"}
        return starts.get(end, "$acc = ''" if text and end not in ("sum", "count") else "$acc = 0")

    def result(self) -> list[str]:
        """Return the statements behind the loop."""
        writer, end = self.writer, self.writer.task.end
        if self.collect:
            return writer.ended("$out")
        if end == "distinct":
            return writer.returned("len($out)")
        if end in ("max", "min"):
            if writer.task.touch is None and writer.rng.choice((True, False)):
                return ["return 0 if $best is None else $best"]
            return ["if $best is None:", f"{INDENT}$best = 0", *writer.returned("$best")]
        return writer.returned("$acc")


def assigned(writer: Writer, step: Step, target: str, x: str) -> list[str]:
    """Assign a changed element."""
    if step.kind == "map":
        return [f"{target} = {writer.value(step.parts[0], x)}"]
    kept, yes, no = step.parts
    condition = writer.condition(kept, x)
    one, other = (f"{target} = {writer.value(part, x)}" for part in (yes, no))
    if target == x and no == Part("id"):
        return [f"if {condition}:", INDENT + one]
    way = (
        writer.choice("else", "default", "expression") if target != x else writer.choice("else", "expression")
    )
    if way == "expression":
        return [f"{target} = {writer.choose(step, x)}"]
    if way == "default":
        return [other, f"if {condition}:", INDENT + one]
    return [f"if {condition}:", INDENT + one, "else:", INDENT + other]


def _loop(writer: Writer) -> Loop:
    end = writer.task.end
    collect = end in COLLECTED or (end != "last" and writer.rng.choice((True, False, False)))
    return Loop(writer, writer.rng.choice((True, False)), collect)


def for_loop(writer: Writer) -> list[str]:
    """Write a `for` loop with an accumulator."""
    loop, x = _loop(writer), writer.element
    head, reading = f"for {x} in {writer.numbers()}:", []
    if writer.task.source == "digits" and writer.rng.choice((True, False)):
        head, reading = f"for $c in {writer.sequence()}:", [f"{x} = int($c)"]
    inner = [*reading, *loop.inside(writer.steps, x, free=True)]
    before = writer.shuffled([loop.start(), *loop.before])
    return [*writer.guard(), *before, head, *indented(inner), *loop.result()]


def while_loop(writer: Writer) -> list[str]:
    """Write a `while` loop that counts, takes digits off, or takes elements off a list."""
    loop, x = _loop(writer), writer.element
    inner = loop.inside(writer.steps, x, free=True)
    start, condition, reading = _progress(writer, x)
    before = writer.shuffled([loop.start(), *loop.before, *start])
    return [*before, f"while {condition}:", *indented([*reading, *inner]), *loop.result()]


def _progress(writer: Writer, x: str) -> tuple[list[str], str, list[str]]:
    """Return what starts a `while` loop, its condition, and the statements that take the next element."""
    task, first = writer.task, writer.first
    ordered = writer.every_second or not _orderless(writer)
    if task.source == "digits" and not ordered and writer.rng.choice((True, True, False)):
        return [], f"{first} > 0", [f"{x} = {first} % 10", f"{first} //= 10"]
    step = "2" if writer.every_second else "1"
    if task.family == "number" and task.source != "digits":
        low, high = writer.bounds
        return [f"$i = {low}"], f"$i <= {high}", [f"{x} = $i", f"$i += {step}"]
    if task.source == "digits":
        held = f"str({first})"
        return [f"$rest = {held}", "$i = 0"], "$i < len($rest)", [f"{x} = int($rest[$i])", f"$i += {step}"]
    if writer.rng.choice((True, False)):
        return [f"$rest = list({writer.sequence()})"], "$rest", [f"{x} = $rest.pop(0)"]
    return ["$i = 0"], f"$i < len({first})", [f"{x} = {first}[$i]", f"$i += {step}"]


def _orderless(writer: Writer) -> bool:
    """Whether the order of the elements does not matter."""
    return writer.task.end in ORDERLESS and all(step.kind in ELEMENTWISE for step in writer.steps)


def is_recursive(writer: Writer) -> bool:
    """Whether a task is a fold that recursion does naturally."""
    return writer.task.end in RECURSIVE and all(step.kind in ELEMENTWISE for step in writer.steps)


def recursion(writer: Writer) -> list[str]:
    """Write an inner function that handles the first element and calls itself for the others."""
    end, x = writer.task.end, writer.element
    lines = [f"{x} = {writer.read('$rest[0]')}"]
    for step in writer.steps:
        if step.kind == "filter":
            lines += [f"if {writer.inverse(step.parts[0], x)}:", f"{INDENT}return $go($rest[1:])"]
        else:
            lines += assigned(writer, step, x, x)
    combined = {
        "sum": f"{x} + $go($rest[1:])",
        "count": "1 + $go($rest[1:])",
        "list": f"[{x}] + $go($rest[1:])",
        "join": f"{x} + $go($rest[1:])",
        "reversed": f"$go($rest[1:]) + {x}",
    }[end]
    head = ["def $go($rest):", *indented(["if not $rest:", f"{INDENT}return {RECURSIVE[end]}"])]
    return [*head, *indented([*lines, f"return {combined}"]), *writer.returned(f"$go({writer.sequence()})")]
