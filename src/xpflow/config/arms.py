"""The settings of an arm, as its decoder understands them (imports torch: not part of `xpflow.config`)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from xpflow.config.block import budget_text
from xpflow.config.evaluation import Arm
from xpflow.config.root import StudyConfig
from xpflow.decoding import settings_from
from xpflow.errors import ConfigError, XpflowError


def arm_settings(
    config: StudyConfig, arm: Arm, model: str, benchmark: str, budget: Fraction
) -> dict[str, Any]:
    """Return every decoder setting of one row: the study's, the model's, the benchmark's, the arm's."""
    choice = {entry.name: entry for entry in config.models}[model]
    length = {entry.name: entry for entry in config.problems.benchmarks}[benchmark].gen_length
    settings: dict[str, Any] = {
        "gen_length": length,
        "budget": budget_text(budget),
        "batch_size": config.evaluation.batch_size,
    }
    if choice.block_length is not None:
        settings["block_length"] = choice.block_length
    return {**settings, **config.evaluation.settings, **arm.settings_for(model)}


def check_arms(config: StudyConfig, source: str) -> None:
    """Raise ConfigError that names the arm when a decoder is unknown or does not take an arm's settings."""
    for arm, model, benchmark, budget in _combinations(config):
        try:
            steps = settings_from(arm.decoder, arm_settings(config, arm, model, benchmark, budget)).steps
        except XpflowError as error:
            raise ConfigError(
                f"{source}: evaluation.arms[{arm.name}]: {error.message}", hint=error.hint
            ) from error
        if steps < 1:
            raise ConfigError(
                f"{source}: evaluation.arms[{arm.name}]: no step at budget {budget_text(budget)}"
            )


def _combinations(config: StudyConfig) -> Iterator[tuple[Arm, str, str, Fraction]]:
    for arm in config.evaluation.arms:
        for model in arm.models or config.model_names:
            for benchmark in arm.benchmarks or config.benchmark_names:
                for budget in arm.budgets or config.evaluation.budgets:
                    yield arm, model, benchmark, budget
