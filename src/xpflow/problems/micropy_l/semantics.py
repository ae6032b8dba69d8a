"""What a MicroPy-L task answers, by definition and not by any program: solutions are tested against it.

It also decides the split. A task belongs to a split where a hash of its combination and a hash of its
function (its answers on fixed inputs) both fall there, and to no split otherwise. So neither a combination
nor a function of a held-out problem occurs in training, whatever words or constants it comes in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from itertools import accumulate
from random import Random
from typing import Any

from xpflow.problems.micropy.functions import inputs_of
from xpflow.problems.micropy.grammar import LIST_FILTERS, LIST_MAPS, TEXT_FILTERS, TEXT_MAPS
from xpflow.problems.micropy.splits import Split, split_of_name
from xpflow.problems.micropy_l.grammar import NUMBER_ENDS, TEXT_ENDS, Part, Role, Step, Task, with_parts

VERSION = "micropy-l-1"
PROBES = 20
DISTINCT_ANSWERS = 4
SHARES = (0.25, 0.25)  # of test and validation, in either hash

FILTERS: dict[str, Callable[[Any, Any], bool]] = {
    "even": lambda x, k: x % 2 == 0,
    "odd": lambda x, k: x % 2 == 1,
    "gt": lambda x, k: x > k,
    "lt": lambda x, k: x < k,
    "multiple": lambda x, k: x % k == 0,
    "positive": lambda x, k: x > 0,
    "negative": lambda x, k: x < 0,
    "ne": lambda x, k: x != k,
    "vowel": lambda c, k: c in "aeiou",
    "consonant": lambda c, k: c not in "aeiou",
    "digit": lambda c, k: c.isdigit(),
    "letter": lambda c, k: c.isalpha(),
    "upper": lambda c, k: c.isupper(),
    "lower": lambda c, k: c.islower(),
    "is": lambda c, k: c == k,
    "isnot": lambda c, k: c != k,
}
MAPS: dict[str, Callable[[Any, Any], Any]] = {
    "id": lambda x, k: x,
    "square": lambda x, k: x * x,
    "mul": lambda x, k: x * k,
    "add": lambda x, k: x + k,
    "sub": lambda x, k: x - k,
    "abs": lambda x, k: abs(x),
    "neg": lambda x, k: -x,
    "mod": lambda x, k: x % k,
    "div": lambda x, k: x // k,
    "upper": lambda c, k: c.upper(),
    "lower": lambda c, k: c.lower(),
    "double": lambda c, k: c + c,
}
ENDS: dict[str, Callable[[list[Any]], Any]] = {
    "sum": sum,
    "max": lambda items: max(items, default=0),
    "min": lambda items: min(items, default=0),
    "count": len,
    "distinct": lambda items: len(set(items)),
    "list": list,
    "sorted": sorted,
    "spread": lambda items: max(items) - min(items) if items else 0,
    "join": "".join,
    "reversed": lambda items: "".join(items)[::-1],
}
TOUCHES: dict[str, Callable[[Any, Any], Any]] = {
    "cap": min,
    "floor": max,
    "modulo": lambda value, k: value % k,
    "backwards": lambda items, k: items[::-1],
    "first": lambda items, k: items[:k],
}


def answer(task: Task, arguments: Sequence[Any]) -> Any:
    """Return what the function of a task answers for its arguments; raises what the arithmetic raises."""
    helper = arguments[-1]
    items = _elements(task, arguments)
    for step in task.steps:
        items = _apply(step, items, helper)
    if task.end == "last":
        value = items[-1] if items else ("" if task.is_text else 0)
    else:
        value = ENDS[task.end](items)
    return value if task.touch is None else TOUCHES[task.touch.name](value, _number(task.touch, helper))


def _elements(task: Task, arguments: Sequence[Any]) -> list[Any]:
    first = arguments[0]
    if task.source == "upto":
        return list(range(1, first + 1))
    if task.source == "between":
        return list(range(first, arguments[1] + 1))
    return [int(c) for c in str(first)] if task.source == "digits" else list(first)


def _apply(step: Step, items: list[Any], helper: Any) -> list[Any]:
    if step.kind == "alternate":
        return items[::2]
    if step.kind == "dedupe":
        return list(dict.fromkeys(items))
    if step.kind == "running":
        return list(accumulate(items))
    if step.kind == "map":
        (changed,) = step.parts
        k = _number(changed, helper)
        return [MAPS[changed.name](x, k) for x in items]
    kept, k = FILTERS[step.parts[0].name], _number(step.parts[0], helper)
    if step.kind == "filter":
        return [x for x in items if kept(x, k)]
    if step.kind == "until":
        end = next((i for i, x in enumerate(items) if kept(x, k)), len(items))
        return items[:end]
    yes, no = ((MAPS[part.name], _number(part, helper)) for part in step.parts[1:])
    return [yes[0](x, yes[1]) if kept(x, k) else no[0](x, no[1]) for x in items]


def _number(part: Part, helper: Any) -> Any:
    """Return the constant of a part as it counts: a number, the helper's value, or None."""
    if part.constant == "@":
        return helper
    return int(part.constant) if part.constant else None


def answers(task: Task, inputs: Sequence[Sequence[Any]]) -> list[str]:
    """Return the answers to several inputs as `repr` writes them; an error counts as its name."""
    return [_answer_or_error(task, arguments) for arguments in inputs]


def _answer_or_error(task: Task, arguments: Sequence[Any]) -> str:
    try:
        return repr(answer(task, arguments))
    except (ArithmeticError, TypeError, ValueError) as error:
        return f"<raised {type(error).__name__}>"


def function_of(task: Task) -> bytes:
    """Return a digest of what a task answers on the fixed inputs of its arguments' types.

    Equal functions have equal digests; different ones have, where some of the inputs tells them apart.
    """
    found = repr((task.family, task.source, task.has_helper, probed(task)))
    return hashlib.blake2b(found.encode(), digest_size=16).digest()


@lru_cache(maxsize=4096)
def probed(task: Task) -> list[str]:
    """Return the answers of a task to its probes."""
    return answers(task, probes(task.source, task.has_helper))


@cache
def probes(source: str, helper: bool) -> Sequence[tuple[Any, ...]]:
    """Return the inputs on which tasks are compared: those of MicroPy, and numbers."""
    if source in ("list", "text"):
        inputs = inputs_of("list" if source == "list" else "text", helper)
        return [*inputs[:PROBES], *inputs[40 : 40 + PROBES // 2]]
    rng = Random(f"{VERSION}/{source}")
    if source == "between":
        starts = [rng.randint(-6, 12) for _ in range(PROBES)]
        return [(start, start + rng.randint(-1, 14)) for start in starts]
    if source == "upto":
        return [(n,) for n in range(PROBES)]
    return [(n,) for n in (*range(1, 12), *(rng.randint(12, 10**7) for _ in range(PROBES)))]


def split_of(task: Task) -> Split | None:
    """Return the split of a task; None where its combination and its function belong to different ones."""
    split = split_of_name(VERSION, *task.combination, shares=SHARES)
    return split if split_of_name(VERSION, function_of(task).hex(), shares=SHARES) == split else None


def is_sensible(task: Task) -> bool:
    """Say whether each step and the touch matters, and the answers vary."""
    inputs, whole = probes(task.source, task.has_helper), probed(task)
    if len(set(whole)) < DISTINCT_ANSWERS:
        return False
    return all(_differs(other, inputs, whole) for other in less(task))


def _differs(task: Task, inputs: Sequence[Sequence[Any]], whole: Sequence[str]) -> bool:
    return any(
        _answer_or_error(task, arguments) != right for arguments, right in zip(inputs, whole, strict=True)
    )


def less(task: Task) -> list[Task]:
    """Return the tasks with one step less, with no touch, or with one branch for all of a choice."""
    found = [replace(task, touch=None)] if task.touch else []
    for i, step in enumerate(task.steps):
        instead: list[tuple[Step, ...]] = [()]
        if step.kind == "choose":
            instead = [(Step("map", (branch,)),) for branch in step.parts[1:]]
        found += [replace(task, steps=(*task.steps[:i], *other, *task.steps[i + 1 :])) for other in instead]
    return found


def rivals(task: Task) -> list[Task]:
    """Return tasks that differ in a single part, constant, step or end: tests must tell them apart."""
    parts, steps = list(task.parts), task.steps
    found = [
        with_parts(task, [*parts[:i], other, *parts[i + 1 :]])
        for i, role in enumerate(task.roles)
        for other in _like(parts[i], role, task)
    ]
    found += less(task)
    for i in range(len(steps) - 1):
        found.append(replace(task, steps=(*steps[:i], steps[i + 1], steps[i], *steps[i + 2 :])))
    for i, step in enumerate(steps):
        if step.kind == "choose":
            kept, yes, no = step.parts
            swapped = Step("choose", (kept, no, yes))
            found.append(replace(task, steps=(*steps[:i], swapped, *steps[i + 1 :])))
    ends = TEXT_ENDS if task.is_text else NUMBER_ENDS
    return found + [replace(task, end=end) for end in ends if end != task.end]


def _like(part: Part, role: Role, task: Task) -> list[Part]:
    """Return what could stand in a part's place: its constant off by one, or another filter or map."""
    k = part.constant
    near = [Part(part.name, str(int(k) + d)) for d in (-1, 1)] if k not in ("", "@") else []
    if role == "touch":
        return near
    if role == "filter":
        names: tuple[str, ...] = TEXT_FILTERS if task.is_text else LIST_FILTERS
    else:
        names = TEXT_MAPS if task.is_text else LIST_MAPS
    other = "@" if task.has_helper else "2"
    needy = [
        name for name in names[1:] if name != part.name and (task.has_helper or name not in ("is", "isnot"))
    ]
    return near + [Part(name, k or other) for name in needy]
