"""From a MicroPy-L task to Python: programs of different structure, none of them marked in the prompt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from xpflow.problems.micropy.code import INDENT
from xpflow.problems.micropy.entropy import bits, outcomes
from xpflow.problems.micropy.render import Rendering
from xpflow.problems.micropy_l.grammar import Task
from xpflow.problems.micropy_l.loops import for_loop, is_recursive, recursion, while_loop
from xpflow.problems.micropy_l.names import Names, fill, name_bits, numbered
from xpflow.problems.micropy_l.stages import expression, inner_functions, is_split, stages
from xpflow.problems.micropy_l.writer import Writer

STYLES: Mapping[str, Callable[[Writer], list[str]]] = {
    "for": for_loop,
    "while": while_loop,
    "stages": stages,
    "expression": expression,
    "recursion": recursion,
    "functions": inner_functions,
}
_ONLY: Mapping[str, Callable[[Writer], bool]] = {"recursion": is_recursive, "functions": is_split}


def styles_of(task: Task, names: Names) -> list[str]:
    """Return the styles that a task can be solved in: at least four."""
    writer = Writer(task, names, Random(0))
    return [style for style in STYLES if style not in _ONLY or _ONLY[style](writer)]


def template(task: Task, names: Names, style: str, rng: Random) -> str:
    """Return an indented body whose local variables are roles."""
    return numbered("\n".join(INDENT + line for line in STYLES[style](Writer(task, names, rng))))


def draw_template(task: Task, names: Names, rng: Random) -> str:
    """Return a template in a style that is drawn too."""
    return template(task, names, rng.choice(styles_of(task, names)), rng)


def body(task: Task, names: Names, style: str, rng: Random) -> str:
    """Return an indented body that computes the task in a style."""
    return fill(template(task, names, style, rng), names.arguments, rng)


def entropy_bits(rendering: Rendering[Task]) -> float:
    """Return the entropy, in bits, of the answers to a prompt: style, structure, spellings and free names.

    Exact: programs that are equal but for names count as one, and no two roles can take one name.
    """
    task, names = rendering.task, rendering.names
    programs = outcomes(lambda rng: draw_template(task, Names(names.function, names.arguments), rng))
    free = sum(share * name_bits(program, names.arguments) for program, share in programs.items())
    return bits(list(programs.values())) + free
