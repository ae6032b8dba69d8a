"""From a task to Python: several valid styles for each, none of them marked in the prompt."""

from __future__ import annotations

from random import Random
from typing import Protocol

from xpflow.problems.micropy.grammar import (
    CONDITIONS_WITH_CONSTANT,
    EXPRESSIONS_WITH_CONSTANT,
    FILTERS_WITH_CONSTANT,
    MAPS_WITH_CONSTANT,
    Task,
)
from xpflow.problems.micropy.names import Names

STYLES = ("comprehension", "two_lines", "loop")
INDENT = "    "


class Asked(Protocol):
    """The names that a prompt says."""

    @property
    def function(self) -> str: ...
    @property
    def arguments(self) -> tuple[str, ...]: ...


def signature(names: Asked) -> str:
    """Return the `def` line, without its newline."""
    return f"def {names.function}({', '.join(names.arguments)}):"


def body(task: Task, names: Names, style: str, rng: Random) -> str:
    """Return an indented body that computes the task in a style; `rng` picks among equal spellings."""
    lines = (
        _number_body(task, names, style, rng)
        if task.family == "number"
        else _sequence_body(task, names, style, rng)
    )
    return "\n".join(INDENT + line for line in lines)


def _sequence_body(task: Task, names: Names, style: str, rng: Random) -> list[str]:
    value, condition = _value_and_condition(task, names, rng)
    agg, sequence, element = task.combination[0], names.arguments[0], names.element
    if style == "loop" and agg in ("sum", "count", "list", "join"):
        return _loop(agg, value, condition, sequence, names)
    clause = f"{value} for {element} in {sequence}" + (f" if {condition}" if condition else "")
    if value == element and not condition:
        return [f"return {finish(agg, sequence)}"]
    if style == "two_lines" and agg != "count":
        local = names.local_items
        return [f"{local} = [{clause}]", f"return {local if agg == 'list' else finish(agg, local)}"]
    return [f"return {inline(agg, clause, condition, element, sequence, rng)}"]


def _value_and_condition(task: Task, names: Names, rng: Random) -> tuple[str, str]:
    """Spell the map of the element and the filter condition (empty when everything is kept)."""
    _, mapping, keep = task.combination
    helper = names.arguments[-1]
    constants = [helper if c == "@" else c for c in task.constants]
    element = names.element
    if task.family == "text":
        return text_value(mapping, element), text_condition(keep, element, helper)
    k = constants.pop(0) if mapping in MAPS_WITH_CONSTANT else ""
    j = constants.pop(0) if keep in FILTERS_WITH_CONSTANT else ""
    return list_value(mapping, element, k, rng), list_condition(keep, element, j)


def list_value(mapping: str, x: str, k: str, rng: Random) -> str:
    """Spell a map of the number `x` with the constant `k`, in one of several ways."""
    spellings = {
        "id": (x,),
        "square": (f"{x} * {x}", f"{x} ** 2"),
        "mul": (f"{x} * {k}", f"{k} * {x}"),
        "add": (f"{x} + {k}",),
        "sub": (f"{x} - {k}",),
        "abs": (f"abs({x})",),
        "neg": (f"-{x}",),
        "mod": (f"{x} % {k}",),
        "div": (f"{x} // {k}",),
    }
    return rng.choice(spellings[mapping])


def list_condition(keep: str, x: str, k: str) -> str:
    """Spell a filter of the number `x` with the constant `k`; empty where everything is kept."""
    return {
        "all": "",
        "even": f"{x} % 2 == 0",
        "odd": f"{x} % 2 == 1",
        "gt": f"{x} > {k}",
        "lt": f"{x} < {k}",
        "multiple": f"{x} % {k} == 0",
        "positive": f"{x} > 0",
        "negative": f"{x} < 0",
        "ne": f"{x} != {k}",
    }[keep]


def text_value(mapping: str, c: str) -> str:
    """Spell a map of the character `c`."""
    return {"id": c, "upper": f"{c}.upper()", "lower": f"{c}.lower()", "double": f"{c} * 2"}[mapping]


def text_condition(keep: str, c: str, helper: str) -> str:
    """Spell a filter of the character `c`; empty where everything is kept."""
    return {
        "all": "",
        "vowel": f"{c} in 'aeiou'",
        "consonant": f"{c} not in 'aeiou'",
        "digit": f"{c}.isdigit()",
        "letter": f"{c}.isalpha()",
        "upper": f"{c}.isupper()",
        "lower": f"{c}.islower()",
        "is": f"{c} == {helper}",
        "isnot": f"{c} != {helper}",
    }[keep]


def finish(agg: str, items: str) -> str:
    """Aggregate a variable that already holds the mapped and filtered items."""
    return {
        "sum": f"sum({items})",
        "max": f"max({items}, default=0)",
        "min": f"min({items}, default=0)",
        "list": f"list({items})",
        "sorted": f"sorted({items})",
        "distinct": f"len(set({items}))",
        "join": f"''.join({items})",
        "reversed": f"''.join({items})[::-1]",
    }[agg]


def inline(agg: str, clause: str, condition: str, element: str, sequence: str, rng: Random) -> str:
    """Aggregate a comprehension in one expression."""
    if agg == "count":
        ones = f"sum(1 for {element} in {sequence} if {condition})"
        return rng.choice((ones, f"len([{element} for {element} in {sequence} if {condition}])"))
    return {
        "sum": f"sum({clause})",
        "max": f"max(({clause}), default=0)",
        "min": f"min(({clause}), default=0)",
        "list": f"[{clause}]",
        "sorted": f"sorted({clause})",
        "distinct": f"len({{{clause}}})",
        "join": f"''.join({clause})",
        "reversed": f"''.join({clause})[::-1]",
    }[agg]


def _loop(agg: str, value: str, condition: str, sequence: str, names: Names) -> list[str]:
    """Accumulate in a for loop."""
    local = names.local_items if agg == "list" else names.local_total
    start = {"sum": "0", "count": "0", "list": "[]", "join": "''"}[agg]
    step = f"{local}.append({value})" if agg == "list" else f"{local} += {'1' if agg == 'count' else value}"
    inner = [f"{INDENT}if {condition}:", f"{INDENT * 2}{step}"] if condition else [f"{INDENT}{step}"]
    return [f"{local} = {start}", f"for {names.element} in {sequence}:", *inner, f"return {local}"]


def _number_body(task: Task, names: Names, style: str, rng: Random) -> list[str]:
    a, b = names.arguments
    kind, left, right = task.combination
    constants = list(task.constants)
    k = constants.pop(0) if kind in CONDITIONS_WITH_CONSTANT else ""
    condition = {
        "gt": f"{a} > {b}",
        "lt": f"{a} < {b}",
        "eq": f"{a} == {b}",
        "even": f"{a} % 2 == 0",
        "odd": f"{b} % 2 == 1",
        "gtk": f"{a} > {k}",
        "sumeven": f"({a} + {b}) % 2 == 0",
        "multiple": f"{a} % {k} == 0",
    }[kind]
    yes, no = (_expression(part, a, b, constants, rng) for part in (left, right))
    if style == "comprehension":
        return [f"return {yes} if {condition} else {no}"]
    if style == "two_lines":
        return [f"if {condition}:", f"{INDENT}return {yes}", f"return {no}"]
    local = names.local_value
    return [f"{local} = {no}", f"if {condition}:", f"{INDENT}{local} = {yes}", f"return {local}"]


def _expression(kind: str, a: str, b: str, constants: list[str], rng: Random) -> str:
    k = constants.pop(0) if kind in EXPRESSIONS_WITH_CONSTANT else ""
    spellings = {
        "add": (f"{a} + {b}",),
        "sub": (f"{a} - {b}",),
        "rsub": (f"{b} - {a}",),
        "mul": (f"{a} * {b}",),
        "first": (a,),
        "second": (b,),
        "addk": (f"{a} + {k}",),
        "mulk": (f"{b} * {k}", f"{k} * {b}"),
    }
    return rng.choice(spellings[kind])
