"""One table, four spellings: Markdown, LaTeX (booktabs only), CSV and HTML.

A cell is a tuple of one or two short lines; the first carries the number, the second what stands behind it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from typing import Any

Lines = tuple[str, ...]
EMPTY: Lines = ("–",)


def number(value: float, sign: str = "+") -> str:
    """Return a value to one decimal, signed unless `sign` is empty; true minus, no negative zero."""
    return f"{value:{sign}z.1f}".replace("-", "−")


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
    lines = [f"### {table.title}", ""]
    lines += [f"- **{name}**: {value}" for name, value in table.facts]
    lines += ["", _pipe(heads), _pipe([marks[column.align] for column in table.columns])]
    lines += [
        _pipe(["<br>".join(filter(None, cell)) for cell in row])
        for section in table.sections
        for row in section
    ]
    lines += [""] + [f"- {note}" for note in table.notes]
    return "\n".join(lines).rstrip() + "\n"


def to_latex(table: Table) -> str:
    """Return a `table*` environment; it needs the booktabs package and nothing else."""
    spec = "".join(column.align for column in table.columns)
    lines = [f"% {name}: {value}" for name, value in table.facts]
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
    lines += [r"\bottomrule", r"\end{tabular}", rf"\caption{{{_escape(caption)}}}"]
    return "\n".join([*lines, rf"\label{{tab:{table.label}}}", r"\end{table*}"]) + "\n"


def to_csv(table: Table) -> str:
    """Return the records as CSV, facts and notes as `#` lines above (read_csv(comment="#") skips them)."""
    buffer = io.StringIO()
    for name, value in (("title", table.title), *table.facts, *(("note", note) for note in table.notes)):
        buffer.write(f"# {name}: {value}\n")
    writer = csv.DictWriter(buffer, list(table.records[0]) if table.records else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _csv_value(value) for key, value in row.items()} for row in table.records)
    return buffer.getvalue()


def to_html(table: Table) -> str:
    """Return the table as an HTML `<figure>`: nothing in it is markup, whatever its texts hold."""
    lines = [f'<figure id="{escape(table.label)}">', f"<figcaption>{escape(table.title)}</figcaption>"]
    lines += ["<dl>", *(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in table.facts)]
    lines += ["</dl>", "<table>", "<thead>", *_html_heads(table.columns), "</thead>"]
    for section in table.sections:
        lines += ["<tbody>", *(_html_row(table.columns, row) for row in section), "</tbody>"]
    notes = [f"<li>{escape(note)}</li>" for note in table.notes]
    return "\n".join([*lines, "</table>", *(["<ul>", *notes, "</ul>"] if notes else []), "</figure>"]) + "\n"


def _html_heads(columns: Sequence[Column]) -> list[str]:
    names = "".join(f'<th scope="col">{escape(column.name)}</th>' for column in columns)
    groups = "".join(
        f'<th colspan="{width}" scope="colgroup">{escape(group)}</th>' for group, width in _spans(columns)
    )
    return [*([f"<tr>{groups}</tr>"] if any(column.group for column in columns) else []), f"<tr>{names}</tr>"]


def _html_row(columns: Sequence[Column], row: Sequence[Lines]) -> str:
    sides = {"l": "left", "r": "right", "c": "center"}
    cells = (
        f'<td style="text-align: {sides[column.align]}">{"<br>".join(map(escape, filter(None, cell)))}</td>'
        for column, cell in zip(columns, row, strict=True)
    )
    return f"<tr>{''.join(cells)}</tr>"


def _spans(columns: Sequence[Column]) -> list[tuple[str, int]]:
    """Return the spanning heads with their widths: equal neighbours are joined."""
    return [(group, len(list(members))) for group, members in groupby(column.group for column in columns)]


def _csv_value(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else "" if value is None else value


def _pipe(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _latex_heads(columns: Sequence[Column]) -> list[str]:
    names = " & ".join(_escape(column.name) for column in columns) + r" \\"
    spans = _spans(columns)
    if not any(group for group, _ in spans):
        return [names]
    heads, rules, start = [], [], 1
    for group, width in spans:
        heads.append(rf"\multicolumn{{{width}}}{{c}}{{{_escape(group)}}}")
        rules += [rf"\cmidrule(lr){{{start}-{start + width - 1}}}"] if group else []
        start += width
    return [" & ".join(heads) + r" \\", " ".join(rules), names]


def _latex_row(row: Sequence[Lines]) -> str:
    """Spread two-line cells over two table rows, so that no package for broken cells is needed."""
    height = max(map(len, row))
    rows = []
    for line in range(height):
        cells = [_escape(cell[line]) if line < len(cell) else "" for cell in row]
        cells = [rf"{{\scriptsize {cell}}}" if line and cell else cell for cell in cells]
        rows.append(" & ".join(cells) + (r" \\" if line == height - 1 else r" \\[-2pt]"))
    return "\n".join(rows)


_LATEX = {
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


def _escape(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
