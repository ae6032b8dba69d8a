"""What a finished study found, small enough for a terminal: from its tables and claims alone."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from xpflow.errors import ArtifactError
from xpflow.study.config.base import budget_text
from xpflow.study.config.root import StudyConfig
from xpflow.study.layout import Layout

PROMPT = "Write a function to take the negative numbers in nums, add 2 to each, and return them as a list."
WORDS = ("confirmed", "contradicted", "undecided")
UNEQUAL = re.compile(r" \(not at equal NFE: [^)]*\)$")
Pair = tuple[str, str]  # model, benchmark
Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the headline table: percent solved and mean NFE by pair."""

    budget: str
    name: str  # decoder and weights
    cells: Mapping[Pair, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One claim with its verdicts over models and benchmarks: how many of each word."""

    text: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Summary:
    """A study's end: `report` is the page to open, or the folder of tables and figures."""

    study: str
    budget: str  # of the headline
    pairs: tuple[Pair, ...]
    headline: tuple[Line, ...]
    verdicts: tuple[Verdict, ...]
    report: Path
    next_thing: tuple[str, str]  # a command, and why

    def aside(self, line: Line) -> str:
        """Return ", at 1/1" for a line of another budget than the headline's."""
        return "" if line.budget == self.budget else f", at {line.budget}"


def summarize(config: StudyConfig, layout: Layout, *, headline: bool = True) -> Summary:
    """Return the summary of a study; `headline`: with its table (loads torch, for the names of the arms).

    Raises:
        ArtifactError: the study has no tables yet.
    """
    verdicts = tuple(_verdicts(_claims(layout)))
    lines, pairs = _headline(config, layout) if headline and config.models else ((), ())
    page = layout.figure("report", "html")
    return Summary(
        study=config.study.name,
        budget=budget_text(Fraction(config.reporting.headline_budget)),
        pairs=pairs,
        headline=lines,
        verdicts=verdicts,
        report=page if page.is_file() else layout.figures,
        next_thing=_next(config),
    )


def tally(verdicts: Iterable[Verdict]) -> str:
    """Return "7 confirmed, 4 contradicted, 9 undecided"."""
    total: Counter[str] = Counter()
    for verdict in verdicts:
        total.update(verdict.counts)
    return ", ".join(f"{total[word]} {word}" for word in WORDS)


def _claims(layout: Layout) -> list[dict[str, Any]]:
    file = layout.figure("claims", "json")
    try:
        found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
        return found
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{file} cannot be read: {error}", hint="`make reproduce STUDY=...` makes the tables of a study"
        ) from error


def _verdicts(claims: Iterable[Record]) -> Iterator[Verdict]:
    """Yield what was claimed, by the paper or beforehand, in the order of the claims."""
    found: dict[str, Counter[str]] = {}
    for claim in claims:
        if claim["direction"] == "different":
            continue  # only asked
        text = UNEQUAL.sub("", claim["text"]).rstrip(".")
        if claim["family"] == "recovery":
            text = f"As much is kept as in the paper: {text}"
        word = claim["judgement"].partition(":")[0]  # "undecided: too few"
        found.setdefault(text, Counter())[word] += 1
    for text, counts in found.items():
        yield Verdict(text, counts)


def _headline(config: StudyConfig, layout: Layout) -> tuple[tuple[Line, ...], tuple[Pair, ...]]:
    """Return every arm at the budget of the paper's claims, and the baseline at full budget."""
    from xpflow.reporting.from_config import plan_from_config

    plan, rows = plan_from_config(config), _table(layout.figure("table1", "csv"))
    wanted = Fraction(config.reporting.headline_budget)
    chosen = [
        row
        for row in rows
        if Fraction(row["budget"]) == wanted or (row["arm"] == plan.baseline and Fraction(row["budget"]) == 1)
    ]
    cells: dict[tuple[str, str], dict[Pair, tuple[float, float]]] = {}
    for row in chosen:
        place = cells.setdefault((budget_text(Fraction(row["budget"])), row["arm"]), {})
        place[row["model"], row["benchmark"]] = (float(row["percent"]), float(row["mean_nfe"]))
    arms = {arm.name: arm for arm in plan.arms}
    lines = (
        Line(budget, f"{arms[arm].label} [{arms[arm].weights_label}]", found)
        for (budget, arm), found in cells.items()
        if arm in arms
    )
    return tuple(lines), tuple(dict.fromkeys((row["model"], row["benchmark"]) for row in chosen))


def _table(file: Path) -> list[dict[str, str]]:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ArtifactError(f"{file} cannot be read: {error}", hint="`xpflow tables` writes it") from error
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def _next(config: StudyConfig) -> tuple[str, str]:
    from xpflow.models.aligned import aligned_models
    from xpflow.models.registry import model_entry

    if config.study.name == "smoke":
        return "make reproduce", "the study itself: the numbers of the smoke test mean nothing"
    audit = f"xpflow audit results/{config.study.name}", "every number, back to where it came from"
    if not config.models:
        return audit
    model = config.models[0]
    entry = model_entry(model.directory or model.name)
    if entry is not None and entry.repo is None:
        chosen = next(iter(aligned_models(entry.name)), entry.name)
        ask = f"xpflow decode --model {chosen} --compare threshold,flow,mask_prediction --prompt '{PROMPT}'"
        return ask, "one program by three decoders, with the forwards that each of them took"
    return audit
