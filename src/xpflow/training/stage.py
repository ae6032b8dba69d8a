"""What the training stages share around their work: threads, model look-up, shards, progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from xpflow.config.models import ModelChoice
from xpflow.config.root import StudyConfig
from xpflow.config.selfdata import SelfdataBlock
from xpflow.config.solvable import SolvableBlock
from xpflow.decoding.settings import MaskPredictionSettings
from xpflow.errors import ConfigError, GradingError, nearest
from xpflow.grading import Verdict, extract
from xpflow.problems.problem import Problem, Shape
from xpflow.protocols import Prompter, Protocol, find_protocol

Values = dict[str, Any]


def set_up(study: StudyConfig) -> None:
    """Set the number of threads that the study gives a job."""
    torch.set_num_threads(study.runtime.threads)


def model_settings(study: StudyConfig, name: str) -> ModelChoice:
    """Return the study's settings of a model; raises ConfigError naming the nearest one."""
    for settings in study.models:
        if settings.name == name:
            return settings
    raise ConfigError(f"the study has no model {name!r}", hint=nearest(name, [m.name for m in study.models]))


def model_source(study: StudyConfig, name: str) -> str | Path:
    """Return where a model's base weights are: the study's directory for it, else the name itself."""
    for settings in study.models:
        if settings.name == name and settings.directory:
            return settings.directory
    return name


def model_protocol(study: StudyConfig, name: str | Path) -> Protocol:
    """Return the protocol of a model of the study, by its name or its folder; others have the default one."""
    names = {settings.name: settings.protocol for settings in study.models}
    folders = {settings.directory: settings.protocol for settings in study.models if settings.directory}
    return find_protocol({**folders, **names}.get(str(name), "micropy"))


def mask_prediction_options(block: SelfdataBlock | SolvableBlock, protocol: Protocol, shape: Shape) -> Values:
    """Return the settings by which a stage decodes with mask prediction: the protocol's under the block's."""
    return {
        **protocol.settings(shape, MaskPredictionSettings.model_fields),
        "gen_length": block.gen_length,
        "budget": block.budget,
        "batch_size": block.batch_size,
        "suppress": "special",
    }


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


def parse_shard(text: str) -> tuple[int, int]:
    """Return (k, n) of "k/n"; raises ConfigError unless 1 <= k <= n."""
    try:
        k, n = (int(part) for part in text.split("/"))
    except ValueError:
        k, n = 0, 0
    if not 1 <= k <= n:
        raise ConfigError(f"not a shard: {text!r}", hint="write K/N with 1 <= K <= N, as 1/2")
    return k, n


def passed(verdicts: Sequence[Verdict]) -> list[bool]:
    """Return which programs passed; raises GradingError if one has no verdict: that is no failure of it."""
    for verdict in verdicts:
        if verdict.verdict == "infrastructure":
            raise GradingError(
                f"no verdict on a program for {verdict.task_id}: {verdict.reason}",
                hint="it says nothing about the program: run `xpflow doctor`, start again (it resumes)",
            )
    return [verdict.passed for verdict in verdicts]


def of_total(report: Callable[[int, int], None] | None, total: int) -> Callable[[int], None] | None:
    """Turn a report of (done, total) into the decoder's progress callback, which knows only how many are
    done."""
    return None if report is None else partial(_call_with_total, report, total)


def _call_with_total(report: Callable[[int, int], None], total: int, done: int) -> None:
    report(done, total)
