"""The vocabulary of names a MicroPy task is written with: drawn at random, without any meaning."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from xpflow.problems.micropy.grammar import Task

# fmt: off
FUNCTIONS = (
    "solve", "calc", "apply", "collect", "pick", "fold", "scan", "gather", "measure", "select", "process",
    "tally", "score", "build", "make", "run", "derive", "extract", "resolve", "combine", "inspect", "handle",
    "total_up", "work_out", "get_result", "do_task", "evaluate", "produce",
)
# fmt: on
LISTS = ("xs", "nums", "values", "items", "data", "seq")
ELEMENTS = ("x", "v", "i", "e")
LIST_HELPERS = ("n", "k", "limit", "m")
TEXTS = ("s", "text", "word", "line")
CHARACTERS = ("c", "ch")
TEXT_HELPERS = ("letter", "key", "t")
PAIRS = (("a", "b"), ("x", "y"), ("p", "q"), ("m", "n"))
LOCALS = {"total": ("total", "acc", "res"), "items": ("out", "res", "ys"), "value": ("r", "res", "out")}


@dataclass(frozen=True, slots=True)
class Names:
    """Names of one rendering: the function, its arguments, the loop element and one local variable."""

    function: str
    arguments: tuple[str, ...]
    element: str
    local_total: str
    local_items: str
    local_value: str


def draw_names(rng: Random, task: Task) -> Names:
    """Draw a consistent set of names for a task."""
    function = rng.choice(FUNCTIONS)
    arguments: tuple[str, ...]
    if task.family == "number":
        arguments = rng.choice(PAIRS)
    elif task.family == "text":
        helper = (rng.choice(TEXT_HELPERS),) if task.has_helper else ()
        arguments = (rng.choice(TEXTS), *helper)
    else:
        helper = (rng.choice(LIST_HELPERS),) if task.has_helper else ()
        arguments = (rng.choice(LISTS), *helper)
    return Names(function, arguments, *draw_locals(rng, task))


def draw_locals(rng: Random, task: Task) -> tuple[str, str, str, str]:
    """Draw the names that only the answer says: of the loop element and of three local variables."""
    element = "" if task.family == "number" else rng.choice(CHARACTERS if task.family == "text" else ELEMENTS)
    total, items, value = (rng.choice(LOCALS[kind]) for kind in ("total", "items", "value"))
    return element, total, items, value
