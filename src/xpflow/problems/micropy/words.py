"""From a task to English: a sentence that says what to compute, in one of several wordings."""

from __future__ import annotations

from random import Random

from xpflow.problems.micropy.grammar import (
    CONDITIONS_WITH_CONSTANT,
    EXPRESSIONS_WITH_CONSTANT,
    FILTERS_WITH_CONSTANT,
    MAPS_WITH_CONSTANT,
    Task,
)
from xpflow.problems.micropy.names import Names

LIST_AGG = {
    "sum": ("the sum", "their sum"),
    "max": ("the largest (0 if none)", "the largest (0 if none)"),
    "min": ("the smallest (0 if none)", "the smallest (0 if none)"),
    "list": ("a list", "them as a list"),
    "sorted": ("a sorted list", "them sorted"),
    "distinct": ("the number of distinct values", "how many distinct values there are"),
    "count": ("the count", "how many there are"),
}
TEXT_AGG = {
    "join": ("a string", "them joined"),
    "reversed": ("a string in reverse order", "them joined in reverse order"),
    "list": ("a list", "them as a list"),
    "distinct": ("the number of distinct values", "how many distinct values there are"),
    "count": ("the count", "how many there are"),
}
LIST_MAP = {
    "id": ("", ""),
    "square": ("each squared", "square each"),
    "mul": ("each multiplied by {k}", "multiply each by {k}"),
    "add": ("each increased by {k}", "add {k} to each"),
    "sub": ("each decreased by {k}", "subtract {k} from each"),
    "abs": ("each in absolute value", "take absolute values"),
    "neg": ("each negated", "negate each"),
    "mod": ("each modulo {k}", "reduce each modulo {k}"),
    "div": ("each floor divided by {k}", "floor divide each by {k}"),
}
LIST_FILTER = {
    "all": "numbers",
    "even": "even numbers",
    "odd": "odd numbers",
    "gt": "numbers greater than {k}",
    "lt": "numbers less than {k}",
    "multiple": "multiples of {k}",
    "positive": "positive numbers",
    "negative": "negative numbers",
    "ne": "numbers other than {k}",
}
TEXT_MAP = {
    "id": ("", ""),
    "upper": ("each in upper case", "convert each to upper case"),
    "lower": ("each in lower case", "convert each to lower case"),
    "double": ("each repeated twice", "repeat each twice"),
}
TEXT_FILTER = {
    "all": "characters",
    "vowel": "vowels",
    "consonant": "characters that are not vowels",
    "digit": "digits",
    "letter": "letters",
    "upper": "upper case letters",
    "lower": "lower case letters",
    "is": "characters equal to {k}",
    "isnot": "characters other than {k}",
}
_CONDITION = {
    "gt": "{a} is greater than {b}",
    "lt": "{a} is less than {b}",
    "eq": "{a} equals {b}",
    "even": "{a} is even",
    "odd": "{b} is odd",
    "gtk": "{a} is greater than {k}",
    "sumeven": "{a} plus {b} is even",
    "multiple": "{a} is a multiple of {k}",
}
_EXPRESSION = {
    "add": "{a} plus {b}",
    "sub": "{a} minus {b}",
    "rsub": "{b} minus {a}",
    "mul": "{a} times {b}",
    "first": "{a}",
    "second": "{b}",
    "addk": "{a} plus {k}",
    "mulk": "{b} times {k}",
}


def describe(task: Task, names: Names, rng: Random) -> str:
    """Return one sentence, without its final full stop and starting in lower case, that defines the task."""
    if task.family == "number":
        return _describe_number(task, names, rng)
    source = names.arguments[0]
    agg, verb, mapped, ordered, kept = _phrases(task, names)
    if rng.random() < 0.5:
        tail = f", {mapped}" if mapped else ""
        return f"return {agg} of the {kept} in {source}{tail}"
    steps = f", {ordered}," if ordered else ""
    return f"take the {kept} in {source}{steps} and return {verb}"


def _phrases(task: Task, names: Names) -> tuple[str, str, str, str, str]:
    agg, mapping, keep = task.combination
    constants = [names.arguments[-1] if c == "@" else c for c in task.constants]
    if task.family == "text":
        kept = TEXT_FILTER[keep].format(k=names.arguments[-1])
        return (*TEXT_AGG[agg], *TEXT_MAP[mapping], kept)
    k = constants.pop(0) if mapping in MAPS_WITH_CONSTANT else ""
    mapped, ordered = (part.format(k=k) for part in LIST_MAP[mapping])
    j = constants.pop(0) if keep in FILTERS_WITH_CONSTANT else ""
    return (*LIST_AGG[agg], mapped, ordered, LIST_FILTER[keep].format(k=j))


def _describe_number(task: Task, names: Names, rng: Random) -> str:
    a, b = names.arguments
    constants = list(task.constants)
    kind, left, right = task.combination
    k = constants.pop(0) if kind in CONDITIONS_WITH_CONSTANT else ""
    condition = _CONDITION[kind].format(a=a, b=b, k=k)
    parts = []
    for part in (left, right):
        j = constants.pop(0) if part in EXPRESSIONS_WITH_CONSTANT else ""
        parts.append(_EXPRESSION[part].format(a=a, b=b, k=j))
    if rng.random() < 0.5:
        return f"return {parts[0]} if {condition}, otherwise {parts[1]}"
    return f"check if {condition} and return {parts[0]}, else {parts[1]}"
