"""The tables of a study as its page shows them: numbers lead to their problems, verdicts have a look.

They are the published tables, with two differences: contrasts have interval and count beside each of their
two accuracies, and the claims are a table, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from xpflow.reporting.claims import Claim
from xpflow.reporting.claims_told import measured, unit_of
from xpflow.reporting.contrasts import COLUMNS, ContrastResult, contrast_row, contrasts_table
from xpflow.reporting.markup import EMPTY, Column, Lines, Table, number
from xpflow.reporting.page.story import look_of
from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.results import Outcomes
from xpflow.reporting.tables import accuracy, table1, table2

KEY = ("model", "benchmark", "arm", "budget")
ACCURACIES = (3, 4)  # columns of a contrast that hold an accuracy


@dataclass(frozen=True, slots=True)
class GridCell:
    """A cell: its lines, how it is aligned, the cell of the study that it leads to, and a verdict's look."""

    lines: Lines
    align: str
    key: dict[str, str] | None = None
    look: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of the page; `rows` without their sections."""

    label: str
    title: str
    facts: tuple[tuple[str, str], ...]
    columns: tuple[Column, ...]
    rows: tuple[tuple[GridCell, ...], ...]
    notes: tuple[str, ...]


def grids(
    plan: ReportPlan, outcomes: Outcomes, contrasts: list[ContrastResult], claims: list[Claim]
) -> list[Grid]:
    """Return Tables 1 and 2, the contrasts and the claims."""
    return [
        _linked(table1(plan, outcomes)),
        _linked(table2(plan, outcomes)),
        grid_of(_contrasts(plan, contrasts)),
        grid_of(_claims(plan, claims)),
    ]


def grid_of(table: Table, keys: Iterator[dict[str, str]] | None = None) -> Grid:
    """Return a table as the page shows it; `keys` are those of its columns "ours", row by row."""
    rows = tuple(
        tuple(_cell(column, lines, keys) for column, lines in zip(table.columns, row, strict=True))
        for section in table.sections
        for row in section
    )
    return Grid(table.label, table.title, table.facts, table.columns, rows, table.notes)


def _linked(table: Table) -> Grid:
    return grid_of(table, ({name: str(record[name]) for name in KEY} for record in table.records))


def _cell(column: Column, lines: Lines, keys: Iterator[dict[str, str]] | None) -> GridCell:
    key = next(keys) if keys is not None and column.name == "ours" and lines != EMPTY else None
    look = look_of(lines[0]) if column.name == "judged" else ""
    return GridCell(lines, column.align, key, look)


def _contrasts(plan: ReportPlan, contrasts: list[ContrastResult]) -> Table:
    """Return the table of contrasts with intervals and counts of both sides."""
    table = contrasts_table(plan, contrasts)
    names = dict(zip(ACCURACIES, ("a: percent solved", "b: percent solved"), strict=True))
    columns = tuple(
        replace(column, name=names.get(place, column.name)) for place, column in enumerate(COLUMNS)
    )
    sections = tuple(
        tuple(_both_sides(plan, result) for result in contrasts if result.contrast == contrast)
        for contrast in dict.fromkeys(result.contrast for result in contrasts)
    )
    return replace(table, columns=columns, sections=sections)


def _both_sides(plan: ReportPlan, result: ContrastResult) -> tuple[Lines, ...]:
    row = list(contrast_row(plan, result))
    for place, cell in zip(ACCURACIES, (result.a, result.b), strict=True):
        row[place] = accuracy(cell)
    if result.contrast.equal_nfe and not result.equal_nfe:
        row[ACCURACIES[1]] = (row[ACCURACIES[1]][0], f"{row[ACCURACIES[1]][1]} (not equal)")
    return tuple(row)


def _claims(plan: ReportPlan, claims: list[Claim]) -> Table:
    heads = ("claim", "model", "benchmark", "measured", "paper", "Holm p", "judged")
    right = ("measured", "paper", "Holm p")
    return Table(
        label="claims",
        title=f"Claims ({plan.study}): what became of them",
        facts=(),
        columns=tuple(Column(name, align="r" if name in right else "l") for name in heads),
        sections=(tuple(_claim_row(claim) for claim in claims),),
        notes=(
            f"Measured: a difference in points or a ratio in percent, with its {100 * plan.confidence:g} % "
            "interval, and how many seeds and problems it is from.",
        ),
    )


def _claim_row(claim: Claim) -> tuple[Lines, ...]:
    unit, sign = unit_of(claim)
    holm: Any = claim.holm_p
    return (
        (claim.text,),
        (claim.model,),
        (claim.benchmark,),
        (measured(claim), f"{claim.n_seeds} seed{'s' * (claim.n_seeds != 1)} × {claim.n_problems} problems"),
        EMPTY if claim.paper is None else (f"{number(claim.paper, sign)} {unit}",),
        EMPTY if holm is None else (f"{holm:.2g}",),
        (claim.word,),
    )
