"""One table, four spellings: Markdown, LaTeX (booktabs only), CSV and HTML.

A cell is a tuple of one or two short lines; the first carries the number, the second what stands behind it.
Texts come from users (titles, claims, names of files) and may hold anything: each spelling gives them back as
they are, and none of them is markup. What no text file holds (control characters, halves of surrogate pairs)
is written as a backslash escape, and a line end as a line break of the spelling.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from typing import Any

Lines = tuple[str, ...]
EMPTY: Lines = ("–",)


def number(value: float, sign: str = "+", digits: int = 1) -> str:
    """Return a value to some decimals, signed unless `sign` is empty; true minus, no negative zero."""
    return f"{value:{sign}z.{digits}f}".replace("-", "−").replace("inf", "∞")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `group` is the spanning head above it (equal neighbours are joined), `align` l, r or c."""

    name: str
    group: str = ""
    align: str = "l"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows in sections (a rule between them), facts above and notes below, records for the CSV."""

    label: str  # table1
    title: str
    facts: tuple[tuple[str, str], ...]
    columns: tuple[Column, ...]
    sections: tuple[tuple[tuple[Lines, ...], ...], ...]
    notes: tuple[str, ...] = ()
    records: tuple[Mapping[str, Any], ...] = field(default=())


def to_markdown(table: Table) -> str:
    """Return the table as GitHub-flavoured Markdown."""
    heads = [f"{column.group}: {column.name}" if column.group else column.name for column in table.columns]
    marks = {"l": ":--", "r": "--:", "c": ":-:"}
    lines = [f"### {markdown_text(table.title)}", ""]
    lines += [f"- **{markdown_text(name)}**: {markdown_text(value)}" for name, value in table.facts]
    rule = " | ".join(marks[column.align] for column in table.columns)
    lines += ["", _pipe((head,) for head in heads), f"| {rule} |"]
    lines += [_pipe(row) for section in table.sections for row in section]
    lines += [""] + [f"- {markdown_text(note)}" for note in table.notes]
    return "\n".join(lines).rstrip() + "\n"


def to_latex(table: Table) -> str:
    """Return a `table*` environment; it needs the booktabs package and nothing else."""
    spec = "".join(column.align for column in table.columns)
    lines = [f"% {comment_text(name)}: {comment_text(value)}" for name, value in table.facts]
    lines += [r"\begin{table*}", r"\centering", r"\footnotesize", r"\setlength{\tabcolsep}{4pt}"]
    lines += [
        rf"\begin{{tabular}}{{@{{}}{spec}@{{}}}}",
        r"\toprule",
        *_latex_heads(table.columns),
        r"\midrule",
    ]
    for number, section in enumerate(table.sections):
        lines += [r"\midrule"] if number else []
        lines += [_latex_row(row) for row in section]
    facts = (f"{name}: {value.rstrip('.')}." for name, value in table.facts)
    caption = " ".join([f"{table.title}.", *facts, *table.notes])
    lines += [r"\bottomrule", r"\end{tabular}", rf"\caption{{{_latex_text(caption)}}}"]
    return "\n".join([*lines, rf"\label{{tab:{table.label}}}", r"\end{table*}"]) + "\n"


def to_csv(table: Table) -> str:
    """Return the records as CSV, facts and notes as `#` lines above (read_csv(comment="#") skips them).

    A line end in a fact or note is written as `\\n` and a backslash as two; in a record both stand as they
    are, in quotes.
    """
    facts = (("title", table.title), *table.facts, *(("note", note) for note in table.notes))
    lines = [f"# {comment_text(name)}: {comment_text(value)}" for name, value in facts]
    columns = list(table.records[0]) if table.records else []
    lines.append(",".join(map(_csv_value, columns)))
    lines += [",".join(_csv_value(record[name]) for name in columns) for record in table.records]
    return "".join(f"{line}\n" for line in lines)


def to_html(table: Table) -> str:
    """Return the table as an HTML `<figure>`: nothing in it is markup, whatever its texts hold."""
    title = f"<figcaption>{_html_text(table.title)}</figcaption>"
    lines = [f'<figure id="{escape(table.label)}">', title, "<dl>"]
    lines += [f"<dt>{_html_text(name)}</dt><dd>{_html_text(value)}</dd>" for name, value in table.facts]
    lines += ["</dl>", "<table>", "<thead>", *_html_heads(table.columns), "</thead>"]
    for section in table.sections:
        lines += ["<tbody>", *(_html_row(table.columns, row) for row in section), "</tbody>"]
    notes = [f"<li>{_html_text(note)}</li>" for note in table.notes]
    return "\n".join([*lines, "</table>", *(["<ul>", *notes, "</ul>"] if notes else []), "</figure>"]) + "\n"


def _html_heads(columns: Sequence[Column]) -> list[str]:
    names = "".join(f'<th scope="col">{_html_text(column.name)}</th>' for column in columns)
    groups = "".join(
        f'<th colspan="{width}" scope="colgroup">{_html_text(group)}</th>' for group, width in _spans(columns)
    )
    return [*([f"<tr>{groups}</tr>"] if any(column.group for column in columns) else []), f"<tr>{names}</tr>"]


def _html_row(columns: Sequence[Column], row: Sequence[Lines]) -> str:
    sides = {"l": "left", "r": "right", "c": "center"}
    texts = ("<br>".join(_html_text(line) for line in cell if line) for cell in row)
    cells = (
        f'<td style="text-align: {sides[column.align]}">{text}</td>'
        for column, text in zip(columns, texts, strict=True)
    )
    return f"<tr>{''.join(cells)}</tr>"


def _spans(columns: Sequence[Column]) -> list[tuple[str, int]]:
    """Return the spanning heads with their widths: equal neighbours are joined."""
    return [(group, len(list(members))) for group, members in groupby(column.group for column in columns)]


def markdown_text(text: str) -> str:
    """Return a text as Markdown that shows it as it is, on one line of the file."""
    escaped = _BLOCK.sub(r"\1\\\2", _MARKDOWN.sub(r"\\\g<0>", shown(text)))
    return "<br>".join(escaped.split("\n"))


def comment_text(text: str) -> str:
    """Return a text on one line, for a comment: line ends and backslashes as escapes."""
    return "\\n".join(shown(text.replace("\\", "\\\\")).split("\n"))


def shown(text: str) -> str:
    """Return a text with \\n for every line end, and what no text file holds as a backslash escape."""
    lines = "\n".join(_LINE_END.split(text))
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), lines)


# A line end of any kind, as str.splitlines counts them.
_LINE_END = re.compile("\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_UNPRINTABLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# What Markdown would read as markup: in a text, and at its start. An underscore in a word, a bracket that no
# (, [ or : follows, a < before a space and an & that begins no entity are plain, and stay as they are.
_MARKDOWN = re.compile(r"[\\`*~$]|(?<![^\W_])_|_(?![^\W_])|\](?=[(\[:])|<(?=[A-Za-z/!?])|&(?=#?\w+;)")
_BLOCK = re.compile(
    r"\A(\s*|\s*\d{1,9})((?<!\d)(?:[#+-](?=\s|\Z|[#-])|>)|(?<=\d)[.)](?=\s|\Z)|(?<!\d)\[(?=[ xX]\]))"
)


def _csv_value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = (
        ""
        if value is None
        else str(value).encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
    )
    quoted = text != text.strip() or any(character in text for character in ',"#\r\n')
    return '"' + text.replace('"', '""') + '"' if quoted else text


def _pipe(cells: Iterable[Lines]) -> str:
    texts = ("<br>".join(markdown_text(line) for line in cell if line) for cell in cells)
    return "| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |"


def _latex_heads(columns: Sequence[Column]) -> list[str]:
    names = " & ".join(_latex_text(column.name) for column in columns) + r" \\"
    spans = _spans(columns)
    if not any(group for group, _ in spans):
        return [names]
    heads, rules, start = [], [], 1
    for group, width in spans:
        heads.append(rf"\multicolumn{{{width}}}{{c}}{{{_latex_text(group)}}}")
        rules += [rf"\cmidrule(lr){{{start}-{start + width - 1}}}"] if group else []
        start += width
    return [" & ".join(heads) + r" \\", " ".join(rules), names]


def _latex_row(row: Sequence[Lines]) -> str:
    """Spread cells of several lines over table rows, so that no package for broken cells is needed."""
    spread = [[part for line in cell for part in shown(line).split("\n")] for cell in row]
    height = max(map(len, spread))
    rows = []
    for line in range(height):
        cells = [_latex_text(cell[line]) if line < len(cell) else "" for cell in spread]
        cells = [rf"{{\scriptsize {cell}}}" if line and cell else cell for cell in cells]
        rows.append(" & ".join(cells) + (r" \\" if line == height - 1 else r" \\[-2pt]"))
    return "\n".join(rows)


_LATEX = {
    "\0": "{}",
    "\n": r"\newline ",
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": r"$-$",
    "–": "--",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "<": r"$<$",
    ">": r"$>$",
    "≠": r"$\neq$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "λ": r"$\lambda$",
}


def _latex_text(text: str) -> str:
    """Return a text as LaTeX that sets it as it is; line ends break the line."""
    # the empty groups keep -- '' `` ?` !` from being one sign, and [ or * from being an argument of \\\\
    plain = _LIGATURE.sub("\0", shown(text))
    escaped = "".join(_LATEX.get(character, character) for character in plain)
    return "{}" + escaped if escaped[:1] in ("[", "*") else escaped


_LIGATURE = re.compile(r"(?<=-)(?=-)|(?<=')(?=')|(?<=[`?!])(?=`)|(?<=,)(?=,)|(?<=<)(?=<)|(?<=>)(?=>)")


def _html_text(text: str) -> str:
    return "<br>".join(escape(line) for line in shown(text).split("\n"))
