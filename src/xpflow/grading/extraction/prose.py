"""What stands around the program in an answer: prose, tags, quotes for fences, blanks of web pages.

By the text alone, as in all rules: nothing is parsed or run.
"""

from __future__ import annotations

import html
import re

from xpflow.grading.extraction.names import made
from xpflow.problems.problem import Problem

QUOTES = re.compile(r'"{3}|\'{3}')
FENCE_WITHIN = re.compile(r"(?<![`'\"])(?P<fence>`{3,})(?!['\"])")
_QUOTED = re.compile(
    r"^(?P<quotes>\'{3}|\"{3})(?:i?py|i?python)?[\d.]*[ \t]*\n(?P<code>.*?)(?:^(?P=quotes)[ \t]*$|\Z)",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
# Lines that no program has outside of a string: a fence of another kind or cut short, a token of a model.
_MARKS = re.compile(r"[ \t]*(?:`+|~+|<\|[\w ]+\|>)[ \t]*$")
# Lines that no program has at its margin: words in a row, a heading, a list item, emphasis.
_PROSE = re.compile(
    r"[A-Z][\w'\u2019-]*,? [A-Za-z`'\"(*]|[A-Z][\w ]{0,60}:\s*$|[A-Z]\w*: \w+,? \w+"
    r"|[A-Z][a-z]+[!.]\s*$|(?:[-*>]|\d+[.)]) |\*\*\w"
)
_ODD_BLANKS = re.compile(r"[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_NOTHING = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_LINE_ENDS = re.compile(r"\r\n?|\n")
_ODD_LINE_ENDS = re.compile(r"[\v\x85\u2028\u2029]")
_BAD = re.compile(
    r"\b(?:wrong|incorrect|mistakes?|mistaken|buggy|broken|faulty|avoid"
    r"|(?:do not|don['\u2019]t|never) (?:write|use|do))\b",
    re.IGNORECASE,
)
_GOOD = re.compile(r"\b(?:right|correct|corrected|correctly|fixed|fix|instead|must|should)\b", re.IGNORECASE)
_BACK = re.compile(r"\W*(?:this|that|it|the (?:above|code|version|function))\b", re.IGNORECASE)
_HTML = re.compile(r"(?:<pre[^>\n]{0,100}>\s{0,20})?<code[^>\n]{0,100}>[ \t]{0,20}\n|</code>", re.IGNORECASE)


def html_as_fences(text: str) -> str:
    """Return an answer without fences, whose code stands between HTML's tags, with fences for these."""
    codes: list[str] = []
    start: int | None = None
    for tag in () if FENCE_WITHIN.search(text) else _HTML.finditer(text):
        if not tag[0].startswith("</"):
            start = tag.end()
        elif start is not None:
            codes.append(html.unescape(text[start : tag.start()]))
            start = None
    return "\n".join(f"```\n{code}\n```" for code in codes) or text


def quotes_as_fences(text: str, problem: Problem) -> str:
    """Return an answer without fences whose program stands between lines of three quotes with fences."""
    if FENCE_WITHIN.search(text):
        return text
    for found in _QUOTED.finditer(text):
        if problem.entry_point in made(found["code"]):
            return f"{text[: found.start()]}```\n{found['code']}```\n{text[found.end() :]}"
    return text


def lines_of(text: str) -> list[str]:
    """Return the lines of an answer.

    Python knows no line end of Unicode: before a line's first quote such a one ends it too, behind it lies
    text. An answer without any other has these.
    """
    lines = _LINE_ENDS.split(text)
    if text.isascii() and "\v" not in text:
        return lines
    if len(lines) == 1:
        return _ODD_LINE_ENDS.split(text)
    found: list[str] = []
    for line in lines:
        end = _first_quote(line)
        *whole, last = _ODD_LINE_ENDS.split(line[:end])
        found += [*whole, last + line[end:]]
    return found


def _first_quote(line: str) -> int:
    return min((place for place in map(line.find, "'\"") if place >= 0), default=len(line))


def plain_blanks(line: str) -> str:
    """Return a line with blanks for the odd ones that stand before its first quote: behind it lies text."""
    if line.isascii():
        return line
    end = _first_quote(line)
    return _NOTHING.sub("", _ODD_BLANKS.sub(" ", line[:end])) + line[end:]


def without_prose(code: str, problem: Problem) -> str:
    """Return a program without the prose before it, and behind the definition or body that is asked for."""
    name, body = problem.entry_point, problem.kind.continues
    kept: list[str] = []
    mark, begun = "", False
    for line in code.split("\n"):
        if not mark and begun and _MARKS.match(line):
            break
        if not mark and _PROSE.match(line):
            if begun:
                break
            kept = [before for before in kept if before.startswith(("import ", "from "))]
            continue
        for found in QUOTES.findall(line):
            mark = "" if found == mark else mark or found
        kept.append(line)
        begun = begun or name in made(line) or bool(body and line[:1] in " \t" and line.strip())
    return "\n".join(kept) if begun else code


def calls_wrong(before: str, after: str) -> bool:
    """Return whether the lines before and behind a block say that this is what not to write."""
    leading = re.split(r"[.!?]\s", before.strip())[-1]
    introduces = after.rstrip("* \t").endswith(":")  # the block that comes next
    following = re.split(r"[.!?]\s", after.strip())[0] if _BACK.match(after) and not introduces else ""
    return any(_BAD.search(text) and not _GOOD.search(text) for text in (leading, following))
