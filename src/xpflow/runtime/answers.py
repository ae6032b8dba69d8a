"""Reading and grading the answers that a stage decoded: programs, verdicts, a grader as the study says."""

from __future__ import annotations

import os
from collections.abc import Sequence

from xpflow.errors import GradingError
from xpflow.grading.extraction.rule import extract
from xpflow.grading.grade import Grader
from xpflow.grading.verdict import Limits, Verdict
from xpflow.problems.problem import Problem
from xpflow.protocols.prompter import Prompter
from xpflow.study.config.root import StudyConfig


def answered(
    prompter: Prompter, problems: Sequence[Problem], responses: Sequence[list[int]]
) -> list[tuple[Problem, str]]:
    """Return each problem with the program that its response tokens answer it with."""
    pairs = zip(problems, responses, strict=True)
    rule = prompter.protocol.extraction
    return [
        (problem, extract(prompter.answer(problem, tokens), problem, rule(problem.shape)))
        for problem, tokens in pairs
    ]


def passed(verdicts: Sequence[Verdict]) -> list[bool]:
    """Return which programs passed; raises GradingError if one has no verdict: that is no failure of it."""
    for verdict in verdicts:
        if verdict.verdict == "infrastructure":
            raise GradingError(
                f"no verdict on a program for {verdict.task_id}: {verdict.reason}",
                hint="it says nothing about the program: run `xpflow doctor`, start again (it resumes)",
            )
    return [verdict.passed for verdict in verdicts]


def make_grader(study: StudyConfig, processes: int = 1) -> Grader:
    """Return a grader with the study's jail, workers and limits.

    Where several `processes` of one machine each have a grader, they share out the workers.
    """
    grading = study.grading
    workers = grading.workers
    if processes > 1:
        workers = max(1, (workers or os.cpu_count() or 1) // processes)
    limits = Limits(
        cpu_s=grading.cpu_s, wall_s=grading.wall_s, memory_mib=grading.memory_mib, retries=grading.retries
    )
    return Grader(None if grading.jail == "auto" else grading.jail, workers=workers, limits=limits)
