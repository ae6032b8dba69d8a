"""One cell of a study's tables, from the number back to the data: what the tables say, the verdicts counted
again, the decoder's settings, and the stages behind it with each of their files compared."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpflow.artifacts.audit import Fingerprint
from xpflow.artifacts.graph import Graph
from xpflow.artifacts.lineage import Lineage, lineage_of, rendered, verdict
from xpflow.artifacts.places import relative
from xpflow.auditing.study_audit import fingerprints_of
from xpflow.errors import ArtifactError, DataError, nearest
from xpflow.study.config import StudyConfig
from xpflow.study.config.base import budget_text, parse_budget
from xpflow.study.config.evaluation import Arm
from xpflow.study.layout import SAMPLES, STUDY_FILE, VERDICTS, Layout
from xpflow.study.result_files import Fields, Run, read_run, readable
from xpflow.study.rows import Cell, Row, expand

TABLES = ("table1.csv", "table2.csv")
SHOWN = 200  # characters of a cell's name in a message
BUDGET = re.compile(r"[0-9./-]{1,20}")  # a fraction of some length, and no power of ten


@dataclass(frozen=True, slots=True)
class Question:
    """A cell of the tables to explain; `task` narrows it to one problem."""

    cell: Cell
    task: str | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """What a cell's number is made of: answers by verdict, and the mean of the executed NFE."""

    verdicts: dict[str, int]
    nfe: float

    @property
    def passes(self) -> int:
        """Answers that passed."""
        return self.verdicts.get("passed", 0)

    @property
    def answers(self) -> int:
        """All answers."""
        return sum(self.verdicts.values())

    @property
    def text(self) -> str:
        """The counts in words."""
        if not self.answers:
            return "no answers"
        others = ", ".join(
            f"{count} {name}" for name, count in sorted(self.verdicts.items()) if name != "passed"
        )
        percent = 100 * self.passes / self.answers
        passed = f"{self.passes} of {self.answers} passed ({percent:.2f} %)"
        return f"{passed}, {others or 'no other'}; mean NFE {self.nfe:g}"

    def fits(self, other: Count) -> bool:
        """Return whether a table that says `other` says this; it gives NFE with six digits."""
        close = abs(self.nfe - other.nfe) <= 1e-4 * max(1.0, other.nfe)
        return (self.passes, self.answers) == (other.passes, other.answers) and close


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that is known of a cell. `issues` list what does not fit; empty where all does.

    tables: what each of them says. runs: those of its seeds whose files can be read; `counted` is of them.
    lineage: the stages behind. unjudged: those whose settings cannot be compared without weights.
    """

    question: Question
    arm: Arm
    settings: dict[str, Any]
    tables: dict[str, Count]
    counted: Count
    runs: tuple[Run, ...]
    lineage: Lineage
    issues: tuple[str, ...]
    unjudged: tuple[str, ...] = ()


def parse_cell(text: str, study: StudyConfig) -> Question:
    """Return what MODEL,BENCHMARK,ARM,BUDGET or MODEL,BENCHMARK,ARM,BUDGET,TASK asks for.

    Raises:
        ArtifactError: it has another form, or the study has no such cell; it names the nearest one.
    """
    parts, shown = text.split(",", 4), text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
    if len(parts) < 4:
        raise ArtifactError(
            f"neither a file nor a cell: {shown!r}",
            hint="a cell is MODEL,BENCHMARK,ARM,BUDGET, as in table1.csv",
        )
    try:
        budget = parse_budget(parts[3].replace("-", "/") if BUDGET.fullmatch(parts[3]) else "none")
    except ValueError as error:
        raise ArtifactError(f"{shown!r}: {error}") from error
    cell = Cell(parts[0], parts[1], parts[2], budget)
    known = {row.cell for row in expand(study)}
    if cell not in known:
        raise ArtifactError(
            f"study {study.study.name} has no cell {shown}",
            hint=nearest(cell.text[:SHOWN], sorted(one.text for one in known)),
        )
    return Question(cell, parts[4] if len(parts) > 4 else None)


def explain_cell(
    study: StudyConfig, results: Path, figures: Path, question: Question, root: Path
) -> Explanation:
    """Explain a cell of the tables in `figures` by the runs in `results`.

    Raises:
        ArtifactError: the question is about a problem that the cell has not.
    """
    cell, graph, layout = question.cell, Graph.of_study(results, root), Layout(results, figures)
    arm, settings = _decoder(study, cell)
    rows = [row for row in expand(study) if row.cell == cell]
    runs, unreadable = _readable_runs(results, rows)
    _require_task(question, runs)
    counted, (tables, table_issues) = count(runs), what_tables_say(figures, cell, graph)
    lineage = lineage_of([file for row in rows for file in layout.row_files(row)], graph)
    other, unjudged = _other_settings(fingerprints_of(study, root), results, lineage)
    issues = [
        *unreadable,
        *table_issues,
        *(f"{name} says {there.text}" for name, there in tables.items() if not there.fits(counted)),
        graph.file_flaw(relative(layout.study, root)),  # the settings that are shown are read from it
        *other,
        *lineage.issues,
    ]
    return Explanation(
        question,
        arm,
        settings,
        tables,
        counted,
        tuple(runs),
        lineage,
        issues=tuple(dict.fromkeys(why for why in issues if why)),
        unjudged=tuple(unjudged),
    )


def count(runs: Sequence[Run]) -> Count:
    """Count the verdicts of some runs, and take the mean of their NFE."""
    verdicts = Counter(str(one["verdict"]) for run in runs for one in run.verdicts.values())
    nfe = [value for run in runs for value in run.nfe]
    return Count(dict(verdicts), sum(nfe) / len(nfe) if nfe else 0.0)


def what_tables_say(figures: Path, cell: Cell, graph: Graph) -> tuple[dict[str, Count], list[str]]:
    """Return the count of each table that has a cell, and what is wrong with the tables.

    Of the verdicts a table knows those that passed.
    """
    found: dict[str, Count] = {}
    issues: list[str] = []
    for name in TABLES:
        place = relative(figures / name, graph.root)
        flaw = graph.file_flaw(place)
        issues += [flaw] if flaw else []
        if flaw and (graph.maker(place) or not (figures / name).is_file()):
            continue
        try:
            counts = readable(figures / name, lambda path: _counts(path, cell))
        except DataError as error:
            issues.append(error.message)
            continue
        issues += [f"{name} has {len(counts)} rows of {cell.text}"] if len(counts) > 1 else []
        found.update({name: counts[0]} if counts else {})
    return found, issues if found else [*issues, f"no table has a row of {cell.text}"]


def answers_to(task: str, runs: Sequence[Run]) -> Iterator[tuple[str, Fields, Fields]]:
    """Yield (seed's folder and the answer's name, sample, verdict) of one problem."""
    for run in runs:
        for answer in (one for one in run.samples if one.task == task):
            yield f"{run.folder.name}, {answer}", run.samples[answer], run.verdicts[answer]


def rendered_cell(found: Explanation) -> Iterator[str]:
    """Yield an explanation in lines: tables, verdicts, settings, answers to its task, stages, issues."""
    cell, task = found.question.cell, found.question.task
    yield f"{cell.model} / {cell.benchmark} / {cell.arm} / {budget_text(cell.budget)}"
    yield from (f"{name} says: {there.text}" for name, there in found.tables.items())
    yield f"counted again: {found.counted.text}"
    yield from (f"  from {run.folder / VERDICTS} and {SAMPLES} beside it" for run in found.runs)
    shown = {key: value for key, value in found.settings.items() if key not in ("decoder", "policy")}
    settings = ", ".join(f"{key}={value}" for key, value in sorted(shown.items()))
    yield f"decoder {found.arm.decoder}, policy {found.arm.policy}: {settings}"
    for run, sample, judged in answers_to(task, found.runs) if task else ():
        reason = f" ({judged['reason']})" if judged.get("reason") else ""
        yield f"{run}: {judged['verdict']}{reason}, NFE {sample['nfe']:g}, answered"
        yield from (f"  | {line}" for line in str(sample["completion"]).splitlines())
    if found.lineage.steps:
        yield "made by, the nearest first:"
    yield from (f"  {line}" for line in rendered(found.lineage.steps))
    yield from verdict(
        found.lineage, found.issues, f", and {', '.join(found.tables)} say what the verdicts do"
    )
    if found.unjudged:
        yield f"Not compared: settings of {len(found.unjudged)} stages, whose model's weights are not here."


def _decoder(study: StudyConfig, cell: Cell) -> tuple[Arm, dict[str, Any]]:
    """Return a cell's arm and all settings of its decoder."""
    from xpflow.decoding import settings_from
    from xpflow.study.settings import arm_settings

    arm = study.arm(cell.arm)
    settings = settings_from(arm.decoder, arm_settings(study, arm, cell.model, cell.benchmark, cell.budget))
    return arm, settings.model_dump(mode="json")


def _readable_runs(results: Path, rows: Sequence[Row]) -> tuple[list[Run], list[str]]:
    """Return the runs whose files can be read, and what is wrong with the others."""
    runs, issues = [], []
    for row in rows:
        try:
            runs.append(read_run(results, row))
        except DataError as error:
            issues.append(error.message)
    return runs, issues


def _require_task(question: Question, runs: Sequence[Run]) -> None:
    known, task = {answer.task for run in runs for answer in run.samples}, question.task
    if task is not None and runs and task not in known:
        raise ArtifactError(
            f"{question.cell.text} has no problem {task[:SHOWN]!r}", hint=nearest(task, known)
        )


def _counts(path: Path, cell: Cell) -> list[Count]:
    """Return what the rows of a cell say in a table; ValueError for a table of another shape."""
    lines = [line for line in path.read_text(encoding="utf-8").split("\n") if not line.startswith("# ")]
    names = (cell.model, cell.benchmark, cell.arm, budget_text(cell.budget))
    found = []
    try:
        for row in csv.DictReader(lines):
            if tuple(row[key] for key in Cell._fields) == names:
                passes, answers = int(row["passes"]), int(row["answers"])
                counts = {"passed": passes, "failed": answers - passes}
                found.append(Count(counts, float(row["mean_nfe"])))
    except (KeyError, TypeError, csv.Error) as error:
        raise ValueError(f"no table of ours: {error}") from error
    return found


def _other_settings(fingerprint: Fingerprint, results: Path, lineage: Lineage) -> tuple[list[str], list[str]]:
    """Return what ran with other settings than the study has now, and what could not be compared."""
    other, unjudged = [], []
    for one in lineage.steps:
        stage, then = one.manifest.stage, one.manifest.config.get("fingerprint")
        if stage["command"] != "evaluate":
            continue
        now = fingerprint(stage)
        if now is None:
            unjudged.append(one.title)
        elif now != then:
            other.append(f"{one.title}: it ran with other settings than {results.name}/{STUDY_FILE} has now")
    return other, unjudged
