"""The solvable-prompt filter: training problems that the base model already solves at full budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from xpflow.config.root import StudyConfig
from xpflow.decoding import decode, settings_from
from xpflow.grading import Grader, Limits, extract
from xpflow.models.tokenizer import decode_response, encode_prompt
from xpflow.problems.instruction import instruction
from xpflow.problems.problem import Problem
from xpflow.training.opening import open_model
from xpflow.training.stage import of_total, passed


def solvable_problems(
    study: StudyConfig,
    model_source: str | Path,
    problems: Sequence[Problem],
    report: Callable[[int, int], None] | None = None,
) -> list[Problem]:
    """Return the problems whose greedy answer at the block's budget passes all tests, in their order."""
    settings = study.solvable
    model, tokenizer = open_model(study, model_source)
    options = {
        "gen_length": settings.gen_length,
        "budget": settings.budget,
        "batch_size": settings.batch_size,
        "suppress": "special",
    }
    prompts = [encode_prompt(tokenizer, instruction(problem)) for problem in problems]
    result = decode(
        model, prompts, settings_from("mask_prediction", options), progress=of_total(report, len(prompts))
    )
    texts = [decode_response(tokenizer, row) for row in result.tokens.tolist()]
    programs = [(problem, extract(text, problem)) for problem, text in zip(problems, texts, strict=True)]
    with make_grader(study) as grader:
        solved = passed(grader.grade(programs))
    return [problem for problem, good in zip(problems, solved, strict=True) if good]


def make_grader(study: StudyConfig) -> Grader:
    """Return a grader with the study's jail, workers and limits."""
    grading = study.grading
    limits = Limits(
        cpu_s=grading.cpu_s, wall_s=grading.wall_s, memory_mib=grading.memory_mib, retries=grading.retries
    )
    return Grader(None if grading.jail == "auto" else grading.jail, workers=grading.workers, limits=limits)
