"""The end of a study on a terminal: its headline table, its claims, its report, and what to try next."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TextIO

from rich.box import ASCII2, SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from xpflow.display.words import cut, holds, printable, took
from xpflow.reporting.summary import WORDS, Summary, Verdict, tally

COLOURS = {"confirmed": "green", "contradicted": "red", "undecided": "yellow"}
PIPED = 110  # columns where there is no terminal
WITH_NFE = 100  # columns from which on the table has the NFE
BESIDE = 72  # columns from which on a claim stands beside its verdicts
MEANING = (
    "Confirmed: the whole {confidence:g} % interval is on the claim's side, and a correction for many "
    "claims agrees; contradicted: it is wholly on the other side; undecided: all else. A claim has a verdict "
    "wherever it was asked."
)


def show_summary(
    summary: Summary, stream: TextIO, *, seconds: float | None = None, work: float = 0.0, short: bool = False
) -> None:
    """Print a summary. seconds: what the run took; work: what all jobs of the study took together."""
    console = Console(file=stream, highlight=False, width=None if stream.isatty() else PIPED)
    if summary.headline and not short:
        console.print(_title(summary, console.width))
        shape = _headline if console.width >= BESIDE else _narrow
        console.print(shape(summary, stream, console.width))
    if summary.verdicts and not short:
        for part in _claims(summary.verdicts, stream, console.width):
            console.print(part)
        console.print(Text(MEANING.format(confidence=100 * summary.confidence), "dim"))
        console.print()
    for name, text in _facts(summary, seconds, work):
        console.print(Text.assemble((f"{name:<8}", "bold"), printable(text, stream)), soft_wrap=True)


def _title(summary: Summary, width: int) -> Text:
    text = f"Study {summary.study}: percent of the problems solved, at {summary.budget} of the budget"
    return Text(text + (" (mean forward passes)" if width >= WITH_NFE else ""), "bold")


def _headline(summary: Summary, stream: TextIO, width: int) -> Table:
    wide = width >= WITH_NFE
    table = Table(
        box=SIMPLE_HEAD if holds(stream, "─") else ASCII2,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column(Text("decoder [weights]"))
    for pair in summary.pairs:
        head = "\n".join(pair) if wide else "\n".join(pair).replace("-", "-\n")
        table.add_column(head, justify="right", no_wrap=True)
    for line in summary.headline:
        found = [line.cells.get(pair) for pair in summary.pairs]
        shown = (f"{one[0]:.1f}" + (f" ({one[1]:.1f})" if wide else "") if one else "" for one in found)
        table.add_row(Text(printable(line.name + summary.aside(line), stream)), *shown)
    return table


def _narrow(summary: Summary, stream: TextIO, width: int) -> Text:
    """Return the headline as a list, pair by pair."""
    text = Text()
    for pair in summary.pairs:
        text.append(f"\n{', '.join(pair)}\n", "bold")
        for line in summary.headline:
            if pair in line.cells:
                name = cut(printable(line.name + summary.aside(line), stream), width - 8, "...")
                text.append(f"{line.cells[pair][0]:6.1f} {name}\n")
    return text


def _claims(verdicts: tuple[Verdict, ...], stream: TextIO, width: int) -> Iterator[Text | Table]:
    """Yield each family of claims: its name, and its claims, beside their verdicts or below them."""
    counts = {id(verdict): _counts(verdict) for verdict in verdicts}
    widest = max(map(len, counts.values()))
    for family, members in groupby(verdicts, key=lambda verdict: verdict.family):
        yield Text(printable(family, stream), "bold")
        table = Table.grid(padding=(0, 2, 0, 0))
        if width >= BESIDE:
            table.add_column(min_width=widest)
        for verdict in members:
            text = Text(printable(verdict.text, stream))
            if verdict.compared:
                text.append(printable(f" ({verdict.compared})", stream), "dim")
            words = counts[id(verdict)]
            table.add_row(*([words, text] if width >= BESIDE else [Text.assemble(words, ": ", text)]))
        yield table
        yield Text()


def _counts(verdict: Verdict) -> Text:
    """Return how often a claim had each verdict."""
    words = Text(" ")
    for word in WORDS:
        if count := verdict.counts.get(word):
            words.append(", " if len(words) > 1 else "").append(f"{count} {word}", COLOURS[word])
    return words


def _facts(summary: Summary, seconds: float | None, work: float) -> Iterator[tuple[str, str]]:
    if summary.verdicts:
        yield "claims", tally(summary.verdicts)
    spent = [f"this run took {took(seconds)}"] if seconds is not None else []
    spent += [f"all jobs of the study together {took(work)}"] if work else []
    if spent:
        yield "time", "; ".join(spent)
    yield "report", str(summary.report) + ("/" if summary.report.is_dir() else "")
    command, why = summary.next_thing
    yield "next", command  # alone, to be copied
    yield "", f"({why})"
