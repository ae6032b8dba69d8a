"""An extraction rule for answers in Markdown as models write it: any fence, several blocks, prose around.

`first-block-v1` takes what stands between the first fences, and knows a fence only by its bare form. This
rule reads fences line by line, as CommonMark has them and a little more: a language followed by anything, a
closer followed by prose, indentation, list items and quotations, tildes, three quotes, a fence that only
closes. Of several blocks it takes the last one that defines the function and that the prose does not call
wrong, with those before it that it needs. Prose around a program without fences, or behind one whose fence is
never closed, is left out, and blanks that Python does not know are blanks.
"""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from xpflow.grading.extraction.blocks import continued
from xpflow.grading.extraction.names import defined, made
from xpflow.grading.extraction.prose import (
    FENCE_WITHIN,
    QUOTES,
    calls_wrong,
    html_as_fences,
    lines_of,
    plain_blanks,
    quotes_as_fences,
    without_prose,
)
from xpflow.grading.extraction.rule import Extraction
from xpflow.problems.problem import Problem

# Before a fence at the start of a line: indentation, marks of quotations, a list item's mark.
_LEAD = r"(?P<lead>[ \t>]*(?:(?:[-*+]|\d{1,3}[.)])[ \t]+)?)"
_FENCE_LINE = re.compile(_LEAD + r"(?P<fence>`{3,}|~{3,})")
_CODE = re.compile(
    r"(?:(?:def|class|import|from|return|async|for|while|if|with|try)\b|@\w|[A-Za-z_]\w*\s*=[^=])"
)
_LANGUAGE = re.compile(r"[ \t]*[{.]*([A-Za-z][\w+#.-]*)?\}?[ \t]*")
_PYTHON = re.compile(r"(?:i?py|i?python|sage)[\d.+-]*", re.IGNORECASE)
_CLOSER_WITHIN = re.compile(r"(?<!`)(?P<fence>`{3,})(?!['\"])")
_OTHER = re.compile(
    r"bash|sh|shell|zsh|console|terminal|cmd|powershell|text|txt|plain|plaintext|output|json|yaml|toml|xml|html"
    r"|css|sql|markdown|md|latex|diff|java|javascript|js|typescript|ts|c|cpp|c\+\+|csharp|go|rust|ruby|r"
    r"|pycon|doctest"
)
_DOCUMENT = ("markdown", "md")
_STAR = re.compile(r"^from[ \t]+\S+[ \t]+import[ \t]+\*", re.MULTILINE)
_DECLARES = re.compile(r"(?:async[ \t]+def|def|class|import|from)\b|[@#)\]}]")
_INNER = 40  # fences that are looked at to tell a block's end from an example in a docstring


@dataclass(slots=True)
class _Block:
    """A fenced part of an answer: language in lower case, the fence and lead that opened it, its lines.

    `closed` says whether a fence ended it, `inner` whether an example in its docstring is open; `before` and
    `after` are the lines of prose next to it.
    """

    language: str
    fence: str
    lead: str
    lines: list[str] = field(default_factory=list)
    closed: bool = False
    inner: bool = False
    before: str = ""
    after: str = ""

    @property
    def called_wrong(self) -> bool:
        """Whether the prose before or behind it says that this is what not to write."""
        return calls_wrong(self.before, self.after)

    @property
    def code(self) -> str:
        """Its text, without the indentation of its fence."""
        lead = re.compile(rf"[ \t{'>' if '>' in self.lead else ''}]{{0,{len(self.lead)}}}")
        return "".join(lead.sub("", line, count=1) + "\n" for line in self.lines)

    def deeper(self, lead: str) -> bool:
        """Return whether a fence with this lead lies too deep to end the block, by CommonMark's measure."""
        return len(lead.expandtabs(4)) > len(self.lead.expandtabs(4)) + 3


def fenced_program(text: str, problem: Problem) -> str:
    """Return the program in the fenced blocks of an answer, else the whole answer.

    Of several blocks it is the last that defines the entry point and is not called wrong, behind earlier ones
    whose names it uses; else what stands before a fence that only closes; else the first that is Python or
    says no language. Where an answer continues a prompt, a body or a definition is put behind it as by
    `first-block-v1`.
    """
    plain = "\n".join(map(plain_blanks, lines_of(text)))
    before, blocks = _blocks(quotes_as_fences(html_as_fences(plain), problem).split("\n"))
    blocks = [one for block in blocks for one in _within(block)]
    code = _typed(_chosen(before, blocks, problem))
    if not problem.kind.continues:
        return code
    if problem.entry_point not in made(code):
        return continued(code, problem)
    body = "    pass\n" if _lacks_body(problem.prompt) else ""
    return f"{problem.prompt.rstrip()}\n{body}\n{code}"


def _within(block: _Block) -> list[_Block]:
    """Return the blocks of a fenced Markdown document, which holds the answer; any other block as it is."""
    if block.language not in _DOCUMENT:
        return [block]
    return _blocks(block.code.split("\n"))[1] or [block]


def _typed(code: str) -> str:
    """Return a session at Python's prompt as the program that was typed; other code as it is."""
    lines = code.split("\n")
    if not next((line for line in lines if line.strip()), "").startswith(">>>"):
        return code
    typed = [line[4:] for line in lines if line.startswith((">>>", "..."))]
    return "\n".join(typed) + "\n"


@lru_cache(maxsize=1024)
def _lacks_body(prompt: str) -> bool:
    """Return whether a prompt, which is trusted, ends with the head of a function and nothing in it."""
    return not _parses(prompt) and _parses(prompt.rstrip() + "\n    pass\n")


def _parses(code: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _chosen(before: str, blocks: Sequence[_Block], problem: Problem) -> str:
    name, python = problem.entry_point, [block for block in blocks if _may_be_python(block)]
    codes = [_dedented(block.code, problem) for block in python]
    codes = [
        code if block.closed else without_prose(code, problem)
        for block, code in zip(python, codes, strict=True)
    ]
    defining = [place for place, code in enumerate(codes) if name in made(code)]
    if defining:
        meant = [place for place in defining if not python[place].called_wrong] or defining
        return _with_needed(codes, meant[-1], name)
    if blocks and not blocks[0].closed and not _known(blocks[0].language) and _is_code(before, problem):
        return before  # the partner of this fence stood in the prompt
    candidates = [*codes, *(block.code for block in blocks), _without_language(before)]
    found = next((code for code in candidates if code.strip()), before)
    return found if blocks else without_prose(found, problem)


def _without_language(text: str) -> str:
    """Return text without a first line that only names Python: the fence before it stood in the prompt."""
    first, _, rest = text.lstrip().partition("\n")
    return rest if rest and _PYTHON.fullmatch(first.strip()) else text


def _blocks(lines: Sequence[str]) -> tuple[str, list[_Block]]:
    """Return the text before the first fence, and the blocks; one that is not closed goes to the end."""
    before: list[str] = []
    blocks: list[_Block] = []
    block: _Block | None = None
    fences = [(n, found["lead"]) for n, line in enumerate(lines) if (found := _FENCE_LINE.match(line))]
    passed, text, said = 0, _Text(lines), ""  # passed: of the fences; said: the last line of prose
    for number, line in enumerate(lines):
        found = _FENCE_LINE.match(line)
        passed += found is not None
        opens = block is None and not (found and not blocks and text.holds(before, number))
        if block is not None:
            if found and text.holds(block.lines, number):
                block.lines.append(line)
            elif found and _ends(block, found, fences[passed - 1 : passed + _INNER]):
                opens = _names_language(line[found.end("fence") :])
                block.closed, block = not opens, None
            elif not found and (end := _closer_within(line, block)) is not None:
                block.lines.append(line[:end])
                block.closed, block = True, None
            else:
                block.lines.append(line)
        if opens:
            opened = _opened(line, found)
            if opened is not None:
                opened.before = said
                blocks.append(opened)
                block, said = None if opened.closed else opened, ""
                continue
            if not blocks:
                before.append(line)
        elif block is None and not blocks:
            before.append(line)
        if block is None and line.strip("`~ \t"):
            said = line
            if blocks and not blocks[-1].after:
                blocks[-1].after = line.lstrip("`~ \t")
    return "\n".join(before), blocks


def _opened(line: str, found: re.Match[str] | None) -> _Block | None:
    """Return the block that a line opens, if it does: by a fence at its start, or behind some prose."""
    lead = found["lead"] if found else ""
    found = found or FENCE_WITHIN.search(line)
    if found is None:
        return None
    info = line[found.end("fence") :].lstrip()
    language, code = "", info
    if not _CODE.match(info):
        said = _LANGUAGE.match(info)
        assert said is not None
        language, code = (said[1] or "").lower(), info[said.end() :]
        if code and not _known(language):  # several words: prose behind a fence that only closes
            language = ""
    block = _Block(language, found["fence"], lead)
    if _CODE.match(code):
        end = _closer_within(code, block)
        block.lines.append(code[:end])
        block.closed = end is not None
    return block


def _ends(block: _Block, found: re.Match[str], fences: Sequence[tuple[int, str]]) -> bool:
    """Return whether a line that begins with a fence ends a block; `fences` are it and the next ones.

    A shorter fence, or one of the other kind, does not. Nor do fences that lie deeper, if they come in pairs:
    they are an example in a docstring.
    """
    if found["fence"][0] != block.fence[0] or len(found["fence"]) < len(block.fence):
        return False
    if not block.deeper(found["lead"]):
        return True
    if not block.inner:
        run = next((n for n, (_, lead) in enumerate(fences) if not block.deeper(lead)), len(fences))
        if run % 2:
            return True
    block.inner = not block.inner
    return False


def _closer_within(line: str, block: _Block) -> int | None:
    """Return where a fence in the middle of a line ends a block; in a string of the program it does not."""
    for end in _CLOSER_WITHIN.finditer(line):
        before = line[: end.start()]
        if end["fence"] != block.fence or before.count("'") % 2 or before.count('"') % 2:
            continue
        spoken_of = "#" in before and line[end.end() :].strip()  # in a comment
        return None if spoken_of else end.start()
    return None


def _names_language(info: str) -> bool:
    """Return whether what stands behind a fence begins a block: a language, and not the prose after one."""
    said = _LANGUAGE.match(info)
    return bool(said and said[1] and _known(said[1].lower()))


def _known(language: str) -> bool:
    return _PYTHON.fullmatch(language) is not None or _OTHER.fullmatch(language) is not None


def _may_be_python(block: _Block) -> bool:
    return not block.language or _PYTHON.fullmatch(block.language) is not None


class _Text:
    """The lines of an answer, and which of them lie in a string of three quotes that is closed later."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._last = {"'" * 3: -1, '"' * 3: -1}
        for number, line in enumerate(lines):
            for mark in QUOTES.findall(line):
                self._last[mark] = number
        self._state: tuple[int, int, str] = (0, 0, "")  # of which list, how much of it was read, the mark

    def holds(self, before: list[str], number: int) -> bool:
        """Return whether line `number`, behind the lines `before`, lies in such a string."""
        whose, read, mark = self._state
        if whose != id(before):
            read, mark = 0, ""
        for line in before[read:]:
            for found in QUOTES.findall(line):
                mark = "" if found == mark else mark or found
        self._state = (id(before), len(before), mark)
        return bool(mark) and self._last[mark] > number


def _dedented(code: str, problem: Problem) -> str:
    """Return code without an indentation that all its lines share, unless it is a body that has one."""
    flat = textwrap.dedent(code)
    return flat if not problem.kind.continues or problem.entry_point in defined(flat) else code


def _is_code(text: str, problem: Problem) -> bool:
    """Return whether text begins like a program, or like the body that the prompt asks for."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    body = problem.kind.continues and first.startswith((" ", "\t"))
    return body or _CODE.match(first) is not None or problem.entry_point in defined(text)


def _with_needed(codes: Sequence[str], place: int, entry_point: str) -> str:
    """Return a block behind those before it that define what it uses and does not define itself."""
    taken = [codes[place]]
    used, given = set(re.findall(r"\w+", codes[place])), defined(codes[place])
    after = [code for code in codes[place + 1 :] if _only_needed(code, entry_point)]
    for code in [*reversed(codes[:place]), *after]:
        here = defined(code)
        if entry_point not in here and ((here - given) & used or _STAR.search(code)):
            taken.insert(0, code.rstrip("\n") + "\n\n")
            used.update(re.findall(r"\w+", code))
            given |= here
    return "".join(taken)


def _only_needed(code: str, entry_point: str) -> bool:
    """Return whether a later block can stand before the program: it only imports or defines other names."""
    tops = [line for line in code.split("\n") if line[:1].strip()]
    return (
        bool(tops)
        and all(map(_DECLARES.match, tops))
        and not re.search(rf"\b{re.escape(entry_point)}\b", code)
    )


MARKDOWN_V1 = Extraction(
    "markdown-v1", "the code block that defines the function, however it is fenced", fenced_program
)
