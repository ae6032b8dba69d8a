"""What a finished study found, small enough for a terminal: from its tables and claims alone."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from xpflow.errors import ArtifactError
from xpflow.reporting.claim_text import without_aside
from xpflow.study.config.base import budget_text
from xpflow.study.config.root import StudyConfig
from xpflow.study.layout import Layout

PROMPT = "Write a function to take the negative numbers in nums, add 2 to each, and return them as a list."
WORDS = ("confirmed", "contradicted", "undecided")
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
    """One claim with its verdicts over models and benchmarks: how many of each word.

    family: what kind of claim it is, as a heading. compared: what it compares, where that is known.
    """

    family: str
    text: str
    compared: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Summary:
    """A study's end: `report` is the page to open, or the folder of tables and figures."""

    study: str
    budget: str  # of the headline
    pairs: tuple[Pair, ...]
    headline: tuple[Line, ...]
    verdicts: tuple[Verdict, ...]
    confidence: float  # of the intervals that judge them
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
    names = _names(config) if headline else _Names()
    verdicts = tuple(_verdicts(_claims(layout), names))
    lines, pairs = _headline(config, layout) if headline and config.models else ((), ())
    page = layout.figure("report", "html")
    return Summary(
        study=config.study.name,
        budget=budget_text(Fraction(config.reporting.headline_budget)),
        pairs=pairs,
        headline=lines,
        verdicts=verdicts,
        confidence=config.reporting.confidence,
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


@dataclass(frozen=True, slots=True)
class _Names:
    """What the families of claims are called, and what a claim compares; by default nothing is."""

    families: Mapping[str, str] = field(default_factory=dict)
    compared: Callable[[Record, str], str] = lambda claim, text: ""


def _names(config: StudyConfig) -> _Names:
    from xpflow.reporting.claims import NOISY, PROBES, TEXT
    from xpflow.reporting.claims_told import families
    from xpflow.reporting.from_config import plan_from_config

    plan = plan_from_config(config)
    arms = {arm.name: f"{arm.label} [{arm.weights_label}]" for arm in plan.arms}

    def compared(claim: Record, text: str) -> str:
        if claim["family"] == TEXT:
            return f"{claim['model']}; {claim['benchmark']}"
        if claim["family"] in (PROBES, NOISY):
            return str(claim["model"])
        for one in plan.contrasts:
            if (
                one.id
                and one.id == claim.get("id", one.id)
                and (one.kind, one.name) == (claim["family"], text)
            ):
                at = [budget_text(budget) for budget in (one.budget_a, one.budget_b)]
                ends = [f" at {budget}" if len(set(at)) > 1 else "" for budget in at]
                return f"{arms[one.a]}{ends[0]} against {arms[one.b]}{ends[1]}"
        return ""

    return _Names(families(plan), compared)


def _verdicts(claims: Iterable[Record], names: _Names) -> Iterator[Verdict]:
    """Yield what was claimed, by the paper or beforehand, in the order of the claims.

    Claims are told apart by family, id and text. One that has all of these in common with another, as two
    ablations of the same part may, is another where a place comes a second time.
    """
    from xpflow.reporting.claims import asked_only
    from xpflow.reporting.text_units import SHARE

    found: dict[tuple[str, str, str, int], Counter[str]] = {}
    first: dict[tuple[str, str, str, int], Record] = {}
    seen: Counter[tuple[str, ...]] = Counter()
    for claim in claims:
        if asked_only(claim["family"], claim.get("unit", SHARE), claim["direction"]):
            continue
        asked = claim["family"], claim.get("id", ""), without_aside(claim["text"])
        place = *asked, claim.get("model", ""), claim.get("benchmark", "")
        key = *asked, seen[place]
        seen[place] += 1
        first.setdefault(key, claim)
        word = claim["judgement"].partition(":")[0]  # "undecided: too few"
        found.setdefault(key, Counter())[word] += 1
    for key, counts in found.items():
        family, _, text, _ = key
        told = text.rstrip(".")
        if family == "recovery":
            told = f"As much is kept as in the paper: {told}"
        yield Verdict(names.families.get(family, ""), told, names.compared(first[key], text), counts)


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
