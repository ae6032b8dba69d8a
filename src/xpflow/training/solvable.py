"""The solvable-prompt filter: training problems that the base model already solves at full budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from xpflow.decoding import decode
from xpflow.problems.benchmark import benchmark_shape
from xpflow.problems.problem import Problem
from xpflow.protocols.find import find_protocol
from xpflow.protocols.prompter import Prompter
from xpflow.protocols.protocol import Protocol
from xpflow.runtime.answers import answered, make_grader, passed
from xpflow.runtime.decoding import of_total, stage_settings
from xpflow.runtime.models import open_model
from xpflow.study.config.root import StudyConfig


def solvable_problems(
    study: StudyConfig,
    model_source: str | Path,
    problems: Sequence[Problem],
    report: Callable[[int, int], None] | None = None,
    protocol: Protocol | None = None,
) -> list[Problem]:
    """Return the problems whose greedy answer at the block's budget passes all tests, in their order.

    They are asked, decoded and read by `protocol` (none: the default one), at the block's length and budget.
    With `solvable.keep: all` every problem is kept, answered and graded all the same.
    """
    settings = study.solvable
    model, tokenizer = open_model(study, model_source)
    prompter = Prompter(protocol or find_protocol(), tokenizer)
    shape = benchmark_shape(settings.benchmark) or "mbpp"
    prompts = [prompter.encode(problem) for problem in problems]
    how = stage_settings(settings, prompter.protocol, shape)
    result = decode(model, prompts, how, progress=of_total(report, len(prompts)))
    programs = answered(prompter, problems, result.tokens.tolist())
    with make_grader(study) as grader:
        solved = passed(grader.grade(programs))
    everything = settings.keep == "all"
    return [problem for problem, good in zip(problems, solved, strict=True) if good or everything]
