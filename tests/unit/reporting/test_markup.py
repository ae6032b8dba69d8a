"""Whatever a title, a claim or a name holds, each spelling of a table gives it back and keeps its shape."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xpflow.reporting.markup import (
    Column,
    Table,
    comment_text,
    markdown_text,
    to_csv,
    to_html,
    to_latex,
    to_markdown,
)

NASTY = [
    "one\ntwo",
    "one\r\ntwo",
    "one\rtwo\u2028three\x85four",
    "a, b; \"c\" 'd' | e || f",
    "# no heading",
    "- no item",
    "1. no number",
    "> no quote",
    "[x] no task",
    "[no](link) ![no](image) [no]: reference",
    "<b>no</b> <!-- no --> &amp; &#10; a < b & c > d",
    "`no code` *no* _no_ __no__ ~~no~~ $no$ \\no \\| \\\\",
    "C# and 100 % of {it} ^2 ~ \\newline \\end{table*} \\\\[2pt]",
    "[bracket first",
    "* star first",
    "a--b ---c ''q'' ``r`` ?` !`",
    "=1+1",
    "ends in a backslash \\",
    "| pipes |",
    "tabs\tand  spaces",
    "ünïcödé − × ≤ λ ·",
]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
ENDS = re.compile("\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


def table(text: str) -> Table:
    """Return a table with a text in every place that takes one."""
    return Table(
        "label",
        text,
        ((text, text),),
        (Column(text, text), Column("plain", "", "r")),
        ((((text, text), ("1.0",)),), (((text,), ("2.0",)),)),
        (text,),
        ({"text": text, "number": 1.5}, {"text": "plain", "number": 2.5}),
    )


def plain(text: str) -> str:
    """Return a text as a page shows it: any line end is one, and runs of blanks do not count."""
    shown = "\n".join(ENDS.split(text))
    shown = re.sub(
        "[\x00-\x08\x0e-\x1f\x7f-\x9f]", lambda found: found[0].encode("unicode_escape").decode(), shown
    )
    return "\n".join(" ".join(line.split()) for line in shown.split("\n")).strip()


class Texts(HTMLParser):
    """The text of each element that holds some, by its tag, and all tags."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.tags: list[str] = []
        self.now: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        if tag in ("td", "th", "dt", "dd", "li", "figcaption", "h3", "strong"):
            self.now = []
        elif tag == "br" and self.now is not None:
            self.now.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "dt", "dd", "li", "figcaption", "h3") and self.now is not None:
            self.found.append((tag, plain("".join(self.now))))
            self.now = None

    def handle_data(self, data: str) -> None:
        if self.now is not None:
            self.now.append(data)


def read_html(text: str) -> Texts:
    reader = Texts()
    reader.feed(text)
    return reader


def check_html(text: str) -> None:
    found = read_html(to_html(table(text)))
    assert sorted(set(found.tags) - {"br"}) == sorted(
        ["figure", "figcaption", "dl", "dt", "dd", "table", "thead", "tr", "th", "tbody", "td", "ul", "li"]
    )
    once, cells = plain(text), [cell for tag, cell in found.found if tag == "td"]
    assert [one for tag, one in found.found if tag in ("figcaption", "dt", "dd", "li")] == [once] * 4
    assert cells == [plain(f"{text}\n{text}"), "1.0", once, "2.0"]


def check_csv(text: str) -> None:
    written = to_csv(table(text))
    frame = pd.read_csv(io.StringIO(written, newline=""), comment="#", keep_default_na=False)
    assert list(frame.columns) == ["text", "number"]
    assert [value.replace("\r\n", "\n") for value in frame["text"]] == [text.replace("\r\n", "\n"), "plain"]
    assert list(frame["number"]) == [1.5, 2.5]
    head = [line for line in written.split("\n") if line.startswith("# ")][:3]
    assert head[0] == f"# title: {comment_text(text)}"
    assert head[2] == f"# note: {comment_text(text)}"


def check_latex(text: str) -> None:
    """Every row has its cells, comments are one line, and the text comes back when commands are undone."""
    lines = to_latex(table(text)).split("\n")
    assert lines[0].startswith("% ")
    assert lines[1] == r"\begin{table*}"
    assert sum(line.startswith(r"\end{") for line in lines) == 2
    body = lines[lines.index(r"\midrule") + 1 : lines.index(r"\bottomrule")]
    rows = [line for line in body if line != r"\midrule"]
    assert all(len(re.findall(r"(?<!\\)&", row)) == 1 for row in rows)
    assert all(re.search(r"\\\\(\[-2pt\])?$", row) for row in rows)
    cells = [re.sub(r" \\\\(\[-2pt\])?$", "", row).split(" & ")[0] for row in rows]
    cells = [re.sub(r"^\{\\scriptsize (.*)\}$", r"\1", cell) for cell in cells]
    shown = plain("\n".join(unlatex(cell) for cell in cells))
    again = [line for line in plain(f"{text}\n{text}\n{text}").split("\n") if line]
    assert [line for line in shown.split("\n") if line] == again


def unlatex(text: str) -> str:
    """Return what a piece of the LaTeX that is written here sets."""
    signs = {
        r"\textbackslash": "\\",
        r"\textasciitilde": "~",
        r"\textasciicircum": "^",
        r"$\pm$": "±",
        r"$-$": "−",
        r"$\times$": "×",
        r"$\cdot$": "·",
        r"$\neq$": "≠",
        r"$\geq$": "≥",
        r"$\leq$": "≤",
        r"$\lambda$": "λ",
        "$<$": "<",
        "$>$": ">",
        "--": "–",
    }
    pattern = "|".join(map(re.escape, signs)) + r"|\\([&%$#_{}])|\{\}"
    return re.sub(pattern, lambda found: found[1] or signs.get(found[0], ""), text)


def check_markdown(text: str) -> None:
    """What a Markdown reader shows is the text, in a table of one shape."""
    reader = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable(["table", "strikethrough"])
    found = read_html(reader.render(to_markdown(table(text))))
    allowed = {"h3", "ul", "li", "strong", "table", "thead", "tbody", "tr", "th", "td", "br"}
    assert set(found.tags) <= allowed
    cells = [cell for tag, cell in found.found if tag == "td"]
    assert cells == [plain(f"{text}\n{text}"), "1.0", plain(text), "2.0"]
    assert [one for tag, one in found.found if tag == "h3"] == [plain(text)]
    assert [one for tag, one in found.found if tag == "li"][-1] == plain(text)


@pytest.mark.parametrize("check", [check_html, check_csv, check_latex, check_markdown])
@pytest.mark.parametrize("text", NASTY)
def test_a_text_comes_back_the_same(check, text: str) -> None:
    check(text)


@pytest.mark.parametrize("check", [check_html, check_csv, check_latex, check_markdown])
def test_any_text_comes_back_the_same(check) -> None:
    @settings(max_examples=150, deadline=None, database=None)
    @given(TEXTS.filter(lambda text: text.strip() != "" and "\0" not in text))
    def holds(text: str) -> None:
        check(text)

    holds()


@pytest.mark.parametrize(
    "write", [to_markdown, to_latex, to_csv, to_html, lambda table: markdown_text(table.title)]
)
@pytest.mark.parametrize("text", ["half \ud83d of a pair", "\x00 \x1b[31m red \x07"])
def test_what_no_text_file_holds_is_written_as_an_escape(write, text: str) -> None:
    written = write(table(text))
    written.encode()
    assert "\0" not in written
    assert ("\\ud83d" if "half" in text else "x00") in written.replace("\\\\", "\\").replace(
        r"\textbackslash{}", "\\"
    )
