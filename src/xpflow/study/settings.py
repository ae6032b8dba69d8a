"""The settings of an arm, as its decoder understands them (imports torch)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from xpflow.decoding import settings_from
from xpflow.decoding.registry import decoder_entry
from xpflow.errors import ConfigError, XpflowError
from xpflow.problems.benchmark import benchmark_shape
from xpflow.protocols.find import find_protocol
from xpflow.study.config.base import budget_text
from xpflow.study.config.evaluation import Arm
from xpflow.study.config.root import StudyConfig


def arm_settings(
    config: StudyConfig, arm: Arm, model: str, benchmark: str, budget: Fraction
) -> dict[str, Any]:
    """Return every decoder setting of one row.

    Where two name one, the later wins: the protocol (what its decoder knows), the study, the model, the arm.
    """
    choice = {entry.name: entry for entry in config.models}[model]
    length = {entry.name: entry for entry in config.problems.benchmarks}[benchmark].gen_length
    settings: dict[str, Any] = {
        **protocol_settings(choice.protocol, benchmark_shape(benchmark), arm.decoder),
        "gen_length": length,
        "budget": budget_text(budget),
        "batch_size": config.evaluation.batch_size,
        **config.evaluation.settings,
    }
    if choice.block_length is not None:
        settings["block_length"] = choice.block_length
    return {**settings, **arm.settings_for(model)}


def protocol_settings(protocol: str, shape: str | None, decoder: str) -> dict[str, Any]:
    """Return a protocol's settings for problems of a shape, as far as a decoder knows them."""
    if shape is None:
        return {}
    known = decoder_entry(decoder).settings.model_fields
    return dict(find_protocol(protocol).settings(shape, known))


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
