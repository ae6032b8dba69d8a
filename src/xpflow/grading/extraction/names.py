"""Which names code gives a meaning to at its top level, by its text: nothing is parsed or run."""

from __future__ import annotations

import re

_NAMED = re.compile(r"^(?:(?:async\s+)?def|class)\s+(\w+)|^(\w+)\s*(?::[^=\n]*)?=[^=]", re.MULTILINE)
_IMPORT = re.compile(r"^(?:from[ \t]+\S+[ \t]+)?import[ \t]+(\([^()]*\)|.+)", re.MULTILINE)
_SEVERAL = re.compile(r"^(\(?\w+(?:[ \t]*,[ \t]*\*?\w+)+\)?)[ \t]*=[^=]", re.MULTILINE)


def made(code: str) -> frozenset[str]:
    """Return the names that code defines itself at its top level, those that it imports not among them."""
    names = {name for pair in _NAMED.findall(code) for name in pair if name}
    for several in _SEVERAL.findall(code):
        names.update(part.strip(" ()*") for part in several.split(","))
    return frozenset(names)


def defined(code: str) -> frozenset[str]:
    """Return the names that code gives a meaning to at its top level; by its text, nothing is parsed."""
    names = set(made(code))
    for imported in _IMPORT.findall(code):
        parts = re.sub(r"#.*", "", imported).strip(" ()\n").split(",")
        names.update(re.split(r"\s+as\s+", part.strip())[-1].partition(".")[0] for part in parts)
    return frozenset(names)
