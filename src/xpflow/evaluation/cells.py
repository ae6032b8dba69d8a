"""One cell of a study's tables, from the number back to the data: what the tables say, the verdicts counted
anew, the decoder's settings, and the stages behind it with each of their files compared."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from xpflow.artifacts.audit import changed_input, shards_of
from xpflow.artifacts.io import read_jsonl
from xpflow.artifacts.left_out import absent
from xpflow.artifacts.manifest import checked
from xpflow.artifacts.story import Chapter, story, told
from xpflow.config import StudyConfig
from xpflow.config.block import budget_text, parse_budget
from xpflow.config.expand import Row, expand, find_arm
from xpflow.errors import ArtifactError, nearest

TABLES = ("table1", "table2")


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
        others = ", ".join(
            f"{count} {name}" for name, count in sorted(self.verdicts.items()) if name != "passed"
        )
        percent = 100 * self.passes / self.answers
        passed = f"{self.passes} of {self.answers} passed ({percent:.2f} %)"
        return f"{passed}, {others or 'no other'}; mean NFE {self.nfe:g}"


@dataclass(frozen=True, slots=True)
class CellStory:
    """All that is known of a cell. `trouble` lists what does not fit, and is empty where all does."""

    cell: TableCell
    said: dict[str, Count]
    counted: Count
    decoder: str
    settings: dict[str, Any]
    policy: str
    runs: tuple[Path, ...]
    chapters: tuple[Chapter, ...]
    trouble: tuple[str, ...]


def parse_cell(text: str, study: StudyConfig) -> TableCell:
    """Return the cell of MODEL,BENCHMARK,ARM,BUDGET or MODEL,BENCHMARK,ARM,BUDGET,TASK.

    Raises:
        ArtifactError: it has another form, or the study has no such cell; it names the nearest one.
    """
    parts = text.split(",", 4)
    if len(parts) < 4:
        raise ArtifactError(
            f"neither a file nor a cell: {text!r}",
            hint="a cell is MODEL,BENCHMARK,ARM,BUDGET, as in table1.csv",
        )
    try:
        budget = parse_budget(parts[3].replace("-", "/"))
    except ValueError as error:
        raise ArtifactError(f"{text!r}: {error}") from error
    cell = TableCell(parts[0], parts[1], parts[2], budget, parts[4] if len(parts) > 4 else None)
    if not rows_of(study, cell):
        known = sorted(
            {str(TableCell(row.model, row.benchmark, row.arm, row.budget)) for row in expand(study)}
        )
        raise ArtifactError(f"study {study.study.name} has no cell {cell}", hint=nearest(str(cell), known))
    return cell


def rows_of(study: StudyConfig, cell: TableCell) -> list[Row]:
    """Return a cell's runs, one for each seed."""
    names = (cell.model, cell.benchmark, cell.arm, cell.budget)
    return [row for row in expand(study) if (row.model, row.benchmark, row.arm, row.budget) == names]


def explain_cell(study: StudyConfig, results: Path, figures: Path, cell: TableCell, root: Path) -> CellStory:
    """Return the story of a cell of the tables in `figures`, from the runs in `results`.

    Raises:
        ArtifactError: a file of the cell is absent, or is not what its manifest speaks of.
    """
    from xpflow.config.arms import arm_settings
    from xpflow.decoding import settings_from

    arm = find_arm(study, cell.arm)
    settings = settings_from(
        arm.decoder, arm_settings(study, arm, cell.model, cell.benchmark, cell.budget)
    ).model_dump(mode="json")
    runs = [results / row.folder for row in rows_of(study, cell)]
    for run in runs:
        checked(run / "samples.jsonl")
    chapters = {one.manifest.digest: one for run in runs for one in story(run / "verdicts.jsonl", root)}
    counted, said = count_runs(runs), dict(what_tables_say(figures, cell))
    trouble = [f"{name} says {there.text}" for name, there in said.items() if not _same(there, counted)]
    trouble += _changes(list(chapters.values()), root, absent(results, root))
    return CellStory(
        cell,
        said,
        counted,
        arm.decoder,
        settings,
        arm.policy,
        tuple(runs),
        tuple(chapters.values()),
        tuple(dict.fromkeys(trouble)),
    )


def count_runs(runs: list[Path]) -> Count:
    """Count the verdicts of some runs; the files are compared with their manifests first."""
    verdicts: Counter[str] = Counter()
    nfe: list[float] = []
    for run in runs:
        checked(run / "verdicts.jsonl")
        verdicts.update(row["verdict"] for row in read_jsonl(run / "verdicts.jsonl"))
        nfe += [float(row["nfe"]) for row in read_jsonl(run / "samples.jsonl")]
    return Count(dict(verdicts), sum(nfe) / len(nfe))


def what_tables_say(figures: Path, cell: TableCell) -> Iterator[tuple[str, Count]]:
    """Yield (file, count) of each table that has the cell; of the verdicts it tells those that passed."""
    for name in TABLES:
        path = figures / f"{name}.csv"
        if not path.is_file():
            continue
        checked(path)
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("# ")]
        for row in csv.DictReader(lines):
            names = tuple(row[key] for key in ("model", "benchmark", "arm", "budget"))
            if names == (cell.model, cell.benchmark, cell.arm, budget_text(cell.budget)):
                passes, answers = int(row["passes"]), int(row["answers"])
                yield path.name, Count({"passed": passes, "failed": answers - passes}, float(row["mean_nfe"]))
                break


def answers_to(task: str, runs: tuple[Path, ...]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield (seed's folder, sample, verdict) of one problem; ArtifactError where a run has no such task."""
    for run in runs:
        samples = {str(row["task_id"]): row for row in read_jsonl(run / "samples.jsonl")}
        verdicts = {str(row["task_id"]): row for row in read_jsonl(run / "verdicts.jsonl")}
        if task not in samples:
            raise ArtifactError(f"{run} has no problem {task!r}", hint=nearest(task, samples))
        yield run.name, samples[task], verdicts[task]


def told_cell(told_of: CellStory) -> Iterator[str]:
    """Yield a cell's story in lines: tables, verdicts, settings, answers to its task, stages, trouble."""
    cell = told_of.cell
    yield f"{cell.model} / {cell.benchmark} / {cell.arm} / {budget_text(cell.budget)}"
    yield from (f"{name} says: {count.text}" for name, count in told_of.said.items())
    yield f"counted anew: {told_of.counted.text}"
    yield from (f"  from {run / 'verdicts.jsonl'} and samples.jsonl beside it" for run in told_of.runs)
    shown = {key: value for key, value in told_of.settings.items() if key not in ("decoder", "policy")}
    settings = ", ".join(f"{key}={value}" for key, value in sorted(shown.items()))
    yield f"decoder {told_of.decoder}, policy {told_of.policy}: {settings}"
    for run, sample, verdict in answers_to(cell.task, told_of.runs) if cell.task else ():
        reason = f" ({verdict['reason']})" if verdict.get("reason") else ""
        yield f"{run}, {cell.task}: {verdict['verdict']}{reason}, NFE {sample['nfe']:g}, answered"
        yield from (f"  | {line}" for line in str(sample["completion"]).splitlines())
    yield "made by, the nearest first:"
    yield from (f"  {line}" for line in told(list(told_of.chapters)))
    if told_of.trouble:
        yield from (f"DOES NOT FIT: {why}" for why in told_of.trouble)
    else:
        yield "All inputs are what they were, and the tables say what the verdicts do."


def _changes(chapters: list[Chapter], root: Path, left_out: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with the inputs of some stages; only shards that were merged may be gone."""
    known = dict(left_out)
    shards = shards_of(one.manifest for one in chapters)
    for one in chapters:
        for source in one.manifest.inputs:
            if source.path not in shards and (why := changed_input(source, root, known)):
                yield f"{one.title()}: {why}"


def _same(one: Count, other: Count) -> bool:
    """Compare counts; a table gives NFE with six digits."""
    close = abs(one.nfe - other.nfe) <= 1e-4 * max(1.0, other.nfe)
    return (one.passes, one.answers) == (other.passes, other.answers) and close
