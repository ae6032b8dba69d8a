"""From a MicroPy-L task to English: what to take, what to do with it step by step, and what to return."""

from __future__ import annotations

from random import Random

from xpflow.problems.micropy.words import LIST_AGG, LIST_FILTER, LIST_MAP, TEXT_AGG, TEXT_FILTER, TEXT_MAP
from xpflow.problems.micropy_l.grammar import Part, Step, Task
from xpflow.problems.micropy_l.names import Names

_SOURCES = {
    "list": "the numbers in {0}",
    "text": "the characters of {0}",
    "upto": "the numbers from 1 to {0}",
    "between": "the numbers from {0} to {1}",
    "digits": "the digits of {0}",
}
_STEPS = {
    "running": "replace each by the running total",
    "dedupe": "drop repeats",
    "alternate": "take every second one from the first",
}
_ENDS = {
    "spread": "the largest minus the smallest (0 if none)",
    "last": "the last ({none} if none)",
}
_TOUCHES = {
    "cap": ", but at most {k}",
    "floor": ", but at least {k}",
    "modulo": ", modulo {k}",
    "backwards": ", in reverse order",
    "first": ", only the first {k}",
}


def describe(task: Task, names: Names, rng: Random) -> str:
    """Return one sentence, without its final full stop and starting in lower case, that defines the task."""
    source = _SOURCES[task.source].format(*names.arguments)
    steps = [_step(step, task, names) for step in task.steps]
    end = _end(task) + (_touch(task.touch, names) if task.touch else "")
    if rng.random() < 0.5:
        return f"take {source}, {', '.join(steps)} and return {end}"
    return f"return {end}, from {source}: {', then '.join(steps)}"


def _end(task: Task) -> str:
    if task.end in _ENDS:
        return _ENDS[task.end].format(none="''" if task.is_text else "0")
    return (TEXT_AGG if task.is_text else LIST_AGG)[task.end][1]


def _touch(touch: Part, names: Names) -> str:
    return _TOUCHES[touch.name].format(k=constant(touch, names))


def _step(step: Step, task: Task, names: Names) -> str:
    if step.kind in _STEPS:
        return _STEPS[step.kind]
    if step.kind == "map":
        return _change(step.parts[0], task, names)
    kept = "the " + _kept(step.parts[0], task, names)
    if step.kind == "filter":
        return f"keep {kept}"
    if step.kind == "until":
        return f"stop before the first of {kept}"
    yes, no = step.parts[1:]
    return f"{_change(yes, task, names, kept)} and {_change(no, task, names, 'the others')}"


def _kept(part: Part, task: Task, names: Names) -> str:
    return (TEXT_FILTER if task.is_text else LIST_FILTER)[part.name].format(k=constant(part, names))


def _change(part: Part, task: Task, names: Names, which: str = "") -> str:
    """Say what happens to each element, or to each of some."""
    said = (TEXT_MAP if task.is_text else LIST_MAP)[part.name][1] or "leave each"
    said = said.format(k=constant(part, names))
    if not which:
        return said
    return said.replace("each", f"each of {which}") if "each" in said else f"{said} of {which}"


def constant(part: Part, names: Names) -> str:
    """Return a part's constant as sentences and programs write it: a number, or the helper's name."""
    return names.arguments[-1] if part.constant == "@" else part.constant
