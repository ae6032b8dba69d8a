"""Verdicts on a model's own answers, for runs that learn only from those that pass.

Row: {task_id, verdict}; of answers of kind "train" and no others, in their order. It has no times, so
that the same answers give the same bytes. Programs run in the study's jail, as those of the evaluation do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xpflow.errors import DataError
from xpflow.problems.benchmark import load_benchmark
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.problems.problem import Problem
from xpflow.protocols.prompter import Prompter
from xpflow.runtime.answers import answered, make_grader, passed
from xpflow.study.config.root import StudyConfig
from xpflow.training.examples import require_answers

Row = dict[str, Any]


def answer_verdicts(
    study: StudyConfig,
    prompter: Prompter,
    rows: Sequence[Row],
    report: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """Return the verdicts on the answers that `xpflow selfdata` wrote, one for each that is trained on.

    Args:
        prompter: of the model that answered, with its protocol and tokenizer. rows: all of a seed. report: is
            told how many programs are done, of how many.
    Raises:
        DataError: rows are no answers, or one is to none of the benchmark's problems.
        GradingError: a problem has no tests, or a program got no verdict: that says nothing about it.
    """
    require_answers(rows)
    asked = [row for row in rows if row["kind"] == "train"]
    problems = problems_of_answers(study, [str(row.get("task_id")) for row in asked])
    with make_grader(study) as grader:
        verdicts = grader.grade(answered(prompter, problems, [row["response"] for row in asked]), report)
    passed(verdicts)
    return [{"task_id": said.task_id, "verdict": said.verdict} for said in verdicts]


def problems_of_answers(study: StudyConfig, tasks: Sequence[str]) -> list[Problem]:
    """Return the problems of some tasks with their tests; DataError where the benchmark has no such task."""
    settings, entry = study.selfdata, study.benchmark_entry(study.selfdata.benchmark)
    everything = load_benchmark(entry, settings.split, sources=study.problems.sources.model_dump())
    known = {problem.task_id: problem for problem in everything}
    if unknown := [task for task in tasks if task not in known]:
        raise DataError(
            f"{unknown[0]} is no problem of {settings.benchmark}",
            hint="make the answers again: xpflow selfdata",
        )
    tested = BENCHMARKS[entry].tested
    if tested is None:
        raise DataError(f"{settings.benchmark} has no tests", hint="its answers cannot be graded")
    return list(tested([known[task] for task in tasks]))
