"""Single-token mutants of a MicroPy solution and what a program does on given inputs.

Covers only programs written by this package's grammar: short, without loops but for one `for` over an
argument, so they end and touch nothing. A model's programs never come here; the grader runs them in a jail.
"""

from __future__ import annotations

import builtins
import io
import keyword
import re
import tokenize
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

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


def behaviour(code: str, inputs: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Return what the only function of `code` answers for each argument tuple (`Raised` where it raises)."""
    scope: dict[str, Any] = {}
    exec(compile(code, "<micropy>", "exec", dont_inherit=True), scope)
    function = next(v for k, v in scope.items() if k != "__builtins__")
    return [_call(function, [a[:] if isinstance(a, list) else a for a in arguments]) for arguments in inputs]


def _call(function: Any, arguments: list[Any]) -> Any:
    try:
        return function(*arguments)
    except Exception as error:
        return Raised(error)
