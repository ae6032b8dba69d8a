"""One cell of a study's tables, from the number back to the data: what the tables say, the verdicts counted
anew, the decoder's settings, and the stages behind it with each of their files compared."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from xpflow.artifacts.audit import Fingerprint
from xpflow.artifacts.manifest import checked
from xpflow.artifacts.story import Story, closing, story, told
from xpflow.auditing.study_audit import STUDY, fingerprints_of
from xpflow.errors import ArtifactError, DataError, XpflowError, nearest
from xpflow.evaluation.merge import SAMPLES, VERDICTS
from xpflow.evaluation.result_files import Fields, Run, read_run, readable
from xpflow.study.config import StudyConfig
from xpflow.study.config.base import budget_text, parse_budget
from xpflow.study.rows import Row, expand

TABLES = ("table1.csv", "table2.csv")
SHOWN = 200  # characters of a cell's name in a message
BUDGET = re.compile(r"[0-9./-]{1,20}")  # a fraction of some length, and no power of ten


@dataclass(frozen=True, slots=True)
class TableCell:
    """A cell by its names; `task` narrows it to one problem."""

    model: str
    benchmark: str
    arm: str
    budget: Fraction
    task: str | None = None

    def __str__(self) -> str:
        """Return the cell as the command line takes it."""
        return ",".join((self.model, self.benchmark, self.arm, budget_text(self.budget)))


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
class CellStory:
    """All that is known of a cell. `trouble` lists what does not fit, and is empty where all does.

    `runs` are those of its seeds whose files can be read, `counted` is of them; `behind` are the stages.
    `unjudged` are stages whose settings could not be compared, for weights that are not here.
    """

    cell: TableCell
    said: dict[str, Count]
    counted: Count
    decoder: str
    settings: dict[str, Any]
    policy: str
    runs: tuple[Run, ...]
    behind: Story
    trouble: tuple[str, ...]
    unjudged: tuple[str, ...] = ()


def parse_cell(text: str, study: StudyConfig) -> TableCell:
    """Return the cell of MODEL,BENCHMARK,ARM,BUDGET or MODEL,BENCHMARK,ARM,BUDGET,TASK.

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
    cell = TableCell(parts[0], parts[1], parts[2], budget, parts[4] if len(parts) > 4 else None)
    if not rows_of(study, cell):
        known = sorted(
            {str(TableCell(row.model, row.benchmark, row.arm, row.budget)) for row in expand(study)}
        )
        raise ArtifactError(
            f"study {study.study.name} has no cell {shown}", hint=nearest(str(cell)[:SHOWN], known)
        )
    return cell


def rows_of(study: StudyConfig, cell: TableCell) -> list[Row]:
    """Return a cell's runs, one for each seed."""
    names = (cell.model, cell.benchmark, cell.arm, cell.budget)
    return [row for row in expand(study) if (row.model, row.benchmark, row.arm, row.budget) == names]


def explain_cell(study: StudyConfig, results: Path, figures: Path, cell: TableCell, root: Path) -> CellStory:
    """Return the story of a cell of the tables in `figures`, from the runs in `results`.

    Raises:
        ArtifactError: the cell is narrowed to a problem that it has not.
    """
    from xpflow.decoding import settings_from
    from xpflow.study.settings import arm_settings

    arm = study.arm(cell.arm)
    settings = settings_from(
        arm.decoder, arm_settings(study, arm, cell.model, cell.benchmark, cell.budget)
    ).model_dump(mode="json")
    rows, trouble = rows_of(study, cell), list[str]()
    runs = list(_readable_runs(results, rows, trouble))
    _require_task(cell, runs)
    counted, said = count(runs), dict(what_tables_say(figures, cell, trouble))
    files = [results / row.folder / name for row in rows for name in (SAMPLES, VERDICTS)]
    behind = story(files, root, results)
    trouble += [f"{name} says {there.text}" for name, there in said.items() if not there.fits(counted)]
    other, unjudged = _other_settings(fingerprints_of(study, root), results, behind)
    trouble += [*_changed_study(results), *other, *behind.trouble]
    return CellStory(
        cell,
        said,
        counted,
        arm.decoder,
        settings,
        arm.policy,
        tuple(runs),
        behind,
        tuple(dict.fromkeys(trouble)),
        tuple(unjudged),
    )


def count(runs: Sequence[Run]) -> Count:
    """Count the verdicts of some runs, and take the mean of their NFE."""
    verdicts = Counter(str(one["verdict"]) for run in runs for one in run.verdicts.values())
    nfe = [value for run in runs for value in run.nfe]
    return Count(dict(verdicts), sum(nfe) / len(nfe) if nfe else 0.0)


def what_tables_say(figures: Path, cell: TableCell, trouble: list[str]) -> Iterator[tuple[str, Count]]:
    """Yield (file, count) of each table that has the cell; of the verdicts it tells those that passed.

    What is wrong with a table, or that none has the cell, is added to `trouble`.
    """
    found = False
    for name in TABLES:
        try:
            if checked(figures / name)[1] is None:
                trouble.append(f"no manifest speaks of {figures.name}/{name}")
            counts = readable(figures / name, lambda path: _counts(path, cell))
        except XpflowError as error:
            trouble.append(error.message)
            continue
        if len(counts) > 1:
            trouble.append(f"{name} has {len(counts)} rows of {cell}")
        found = found or bool(counts)
        yield from ((name, one) for one in counts[:1])
    if not found:
        trouble.append(f"no table has a row of {cell}")


def answers_to(task: str, runs: Sequence[Run]) -> Iterator[tuple[str, Fields, Fields]]:
    """Yield (seed's folder, sample, verdict) of one problem."""
    for run in runs:
        if task in run.samples:
            yield run.folder.name, run.samples[task], run.verdicts[task]


def told_cell(told_of: CellStory) -> Iterator[str]:
    """Yield a cell's story in lines: tables, verdicts, settings, answers to its task, stages, trouble."""
    cell = told_of.cell
    yield f"{cell.model} / {cell.benchmark} / {cell.arm} / {budget_text(cell.budget)}"
    yield from (f"{name} says: {there.text}" for name, there in told_of.said.items())
    yield f"counted anew: {told_of.counted.text}"
    yield from (f"  from {run.folder / VERDICTS} and samples.jsonl beside it" for run in told_of.runs)
    shown = {key: value for key, value in told_of.settings.items() if key not in ("decoder", "policy")}
    settings = ", ".join(f"{key}={value}" for key, value in sorted(shown.items()))
    yield f"decoder {told_of.decoder}, policy {told_of.policy}: {settings}"
    for run, sample, verdict in answers_to(cell.task, told_of.runs) if cell.task else ():
        reason = f" ({verdict['reason']})" if verdict.get("reason") else ""
        yield f"{run}, {cell.task}: {verdict['verdict']}{reason}, NFE {sample['nfe']:g}, answered"
        yield from (f"  | {line}" for line in str(sample["completion"]).splitlines())
    if told_of.behind.chapters:
        yield "made by, the nearest first:"
    yield from (f"  {line}" for line in told(told_of.behind.chapters))
    tables = ", ".join(told_of.said)
    yield from closing(told_of.behind, told_of.trouble, f", and {tables} say what the verdicts do")
    if told_of.unjudged:
        yield f"Not compared: settings of {len(told_of.unjudged)} stages, whose model's weights are not here."


def _readable_runs(results: Path, rows: Sequence[Row], trouble: list[str]) -> Iterator[Run]:
    for row in rows:
        try:
            yield read_run(results, row)
        except DataError as error:
            trouble.append(error.message)


def _require_task(cell: TableCell, runs: Sequence[Run]) -> None:
    known = {task for run in runs for task in run.samples}
    if cell.task is not None and runs and cell.task not in known:
        raise ArtifactError(f"{cell} has no problem {cell.task[:SHOWN]!r}", hint=nearest(cell.task, known))


def _counts(path: Path, cell: TableCell) -> list[Count]:
    """Return what the rows of a cell say in a table; ValueError for a table of another shape."""
    lines = [line for line in path.read_text(encoding="utf-8").split("\n") if not line.startswith("# ")]
    names = (cell.model, cell.benchmark, cell.arm, budget_text(cell.budget))
    found = []
    try:
        for row in csv.DictReader(lines):
            if tuple(row[key] for key in ("model", "benchmark", "arm", "budget")) == names:
                passes, answers = int(row["passes"]), int(row["answers"])
                counts = {"passed": passes, "failed": answers - passes}
                found.append(Count(counts, float(row["mean_nfe"])))
    except (KeyError, TypeError, csv.Error) as error:
        raise ValueError(f"no table of ours: {error}") from error
    return found


def _changed_study(results: Path) -> Iterator[str]:
    """Yield what speaks against a study's configuration, which the settings that are told are read from."""
    try:
        if checked(results / STUDY)[1] is None:
            yield f"no manifest speaks of {results.name}/{STUDY}"
    except ArtifactError as error:
        yield error.message


def _other_settings(fingerprint: Fingerprint, results: Path, behind: Story) -> tuple[list[str], list[str]]:
    """Return what ran with other settings than the study has now, and what could not be compared."""
    other, unjudged = [], []
    for one in behind.chapters:
        stage, then = one.manifest.stage, one.manifest.config.get("fingerprint")
        if stage["command"] != "evaluate":
            continue
        now = fingerprint(stage)
        if now is None:
            unjudged.append(one.title())
        elif now != then:
            other.append(f"{one.title()}: it ran with other settings than {results.name}/{STUDY} has now")
    return other, unjudged
