"""Single-token mutants of a MicroPy solution and what a program does on given inputs.

Covers only programs written by the grammars of MicroPy and MicroPy-L: short, and they touch nothing.
MicroPy's have no loop but one `for` over an argument, so they end; a mutant of MicroPy-L's may not, and its
turns are counted (`ticks`). A model's programs never come here; the grader runs them in a jail.
"""

from __future__ import annotations

import ast
import builtins
import io
import keyword
import re
import tokenize
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

_TICK, _SMALL = "_tick", "_small"
_BITS, _ITEMS = 4096, 10_000  # larger values grow without end: each turn could double or square them
_OPERATORS = {
    "+": ("-", "*"),
    "-": ("+",),
    "*": ("+", "//"),
    "//": ("*", "%"),
    "%": ("//", "*"),
    "**": ("*",),
    ">": (">=", "<"),
    "<": ("<=", ">"),
    "==": ("!=",),
    "!=": ("==",),
    "+=": ("-=", "="),
    ">=": (">", "<"),  # from here on: of MicroPy-L alone
    "<=": ("<", ">"),
    "//=": ("-=",),
}
_WORDS = {
    "sum": ("max", "min", "len"),
    "max": ("min",),
    "min": ("max",),
    "sorted": ("list",),
    "set": ("list",),
    "upper": ("lower",),
    "lower": ("upper",),
    "isdigit": ("isalpha",),
    "isalpha": ("isdigit", "isupper"),
    "isupper": ("islower",),
    "islower": ("isupper",),
    "in": ("not in",),
    "not": ("",),
    "abs": ("int",),
    "and": ("or",),
    "or": ("and",),
    "break": ("continue",),
    "continue": ("break",),
}


class Raised:
    """What a call returned when it raised: equal in `repr` for equal exception types."""

    def __init__(self, error: Exception) -> None:
        self.name = type(error).__name__

    def __repr__(self) -> str:
        return f"<raised {self.name}>"


def mutants(code: str) -> Iterator[str]:
    """Yield every program that differs from `code` in one token and still compiles, in a fixed order."""
    tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
    names = _local_names(tokens)
    lines = code.splitlines(keepends=True)
    for token in tokens:
        for new in _replacements(token, names):
            (row, start), (_, end) = token.start, token.end
            line = lines[row - 1]
            changed = [*lines]
            changed[row - 1] = line[:start] + new + line[end:]
            mutant = "".join(changed)
            if not _grows_forever(mutant) and _compiles(mutant):
                yield mutant


def _grows_forever(code: str) -> bool:
    """Whether a loop appends to the list that it walks: no other mutant of this grammar runs for ever."""
    walked, grown = re.search(r"for \w+ in (\w+):", code), re.search(r"(\w+)\.append", code)
    return bool(walked and grown and walked[1] == grown[1])


def _replacements(token: tokenize.TokenInfo, names: list[str]) -> list[str]:
    if token.start[0] == 1:
        return []
    text = token.string
    if token.type == tokenize.OP:
        return list(_OPERATORS.get(text, ()))
    if token.type == tokenize.NUMBER:
        return [str(int(text) + 1), str(int(text) - 1)]
    if token.type == tokenize.STRING and len(text) > 3:
        return [repr(text[1:-2]), repr(text[2:-1])]
    if text in _WORDS:
        return list(_WORDS[text])
    if token.type == tokenize.NAME and text in names:
        return [name for name in names if name != text]
    return []


def _local_names(tokens: list[tokenize.TokenInfo]) -> list[str]:
    """Return arguments and variables of a function in order of appearance, no builtins or keywords."""
    seen = dict.fromkeys(t.string for t in tokens if t.type == tokenize.NAME)
    function = tokens[1].string
    attributes = {b.string for a, b in pairwise(tokens) if a.string == "."}
    skip = {function, "default", *attributes}
    return [n for n in seen if not keyword.iskeyword(n) and not hasattr(builtins, n) and n not in skip]


def _compiles(code: str) -> bool:
    try:
        compile(code, "<mutant>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def behaviour(code: str, inputs: Sequence[tuple[Any, ...]], ticks: int | None = None) -> list[Any]:
    """Return what the only function of `code` answers for each argument tuple (`Raised` where it raises).

    ticks: turns of loops and calls that one answer may take; one that takes more raises (None: no limit).
    """
    clock = _Clock()
    scope: dict[str, Any] = {_TICK: clock, _SMALL: _small}
    program: Any = code  # as text, a third of the time is saved; a tree is needed only for its ticks
    if ticks is not None:
        program = ast.fix_missing_locations(_Ticking().visit(ast.parse(code)))
    exec(compile(program, "<micropy>", "exec", dont_inherit=True), scope)
    *_, function = scope.values()
    found = []
    for arguments in inputs:
        clock.left = ticks
        found.append(_call(function, [a[:] if isinstance(a, list) else a for a in arguments]))
    return found


class Endless(Exception):
    """A program took more turns than it may."""


class _Clock:
    """Counts the turns that are left; None counts nothing."""

    left: int | None = None

    def __call__(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Endless


def _small(value: Any) -> Any:
    """Return an operand; raises Endless for one that has grown too large."""
    large = value.bit_length() > _BITS if isinstance(value, int) else len(value) > _ITEMS
    if large:
        raise Endless
    return value


class _Ticking(ast.NodeTransformer):
    """Lets every turn of a loop and every call of a function tell the clock, and looks at every operand."""

    def visit(self, node: ast.AST) -> Any:
        """Return a node whose body, if it has one to repeat, begins with a tick."""
        self.generic_visit(node)
        if isinstance(node, ast.BinOp):
            node.left = ast.Call(ast.Name(_SMALL, ast.Load()), [node.left], [])
        if isinstance(node, ast.AugAssign):
            node.value = ast.Call(ast.Name(_SMALL, ast.Load()), [node.value], [])
        if isinstance(node, ast.For | ast.While | ast.FunctionDef):
            node.body.insert(0, ast.parse(f"{_TICK}()").body[0])
        return node


def _call(function: Any, arguments: list[Any]) -> Any:
    try:
        return function(*arguments)
    except Exception as error:
        return Raised(error)
