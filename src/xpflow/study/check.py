"""What must hold between a study and the plug-ins that it names, checked before anything runs.

`check_study` looks at benchmarks and protocols; `check_arms` also builds the settings of every arm's decoder,
which takes torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

from xpflow.budget import budget_text
from xpflow.errors import ConfigError, XpflowError, nearest
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.protocols import PROTOCOLS
from xpflow.study.config.evaluation import Arm
from xpflow.study.config.inputs import BenchmarkChoice
from xpflow.study.config.root import StudyConfig


def check_study(config: StudyConfig, source: str) -> None:
    """Raise ConfigError where a split does not exist, or a protocol fixes another N than a benchmark has."""
    for choice in config.problems.benchmarks:
        where = f"{source}: problems.benchmarks[{choice.name}]"
        with _told(where):
            _check_benchmark(config, choice)


def check_arms(config: StudyConfig, source: str) -> None:
    """Raise ConfigError that names the arm when its decoder is unknown or does not take its settings."""
    for arm, model, benchmark, budget in _combinations(config):
        with _told(f"{source}: evaluation.arms[{arm.name}]"):
            _check_arm(config, arm, model, benchmark, budget)


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Put the place in a study before the message of an error."""
    try:
        yield
    except XpflowError as error:
        raise ConfigError(f"{where}: {error.message}", hint=error.hint) from error


def _check_benchmark(config: StudyConfig, choice: BenchmarkChoice) -> None:
    benchmark = BENCHMARKS[choice.entry]
    if choice.split not in benchmark.splits:
        raise ConfigError(f"there is no split {choice.split!r}", hint=nearest(choice.split, benchmark.splits))
    for model in config.models:
        length = PROTOCOLS[model.protocol].gen_length(benchmark.shape)
        if length not in (None, choice.gen_length):
            raise ConfigError(
                f"gen_length: protocol {model.protocol} of {model.name} decodes {length} tokens, "
                f"not {choice.gen_length}",
                hint="an arm may have another length: `settings: {gen_length: N}`",
            )


def _check_arm(config: StudyConfig, arm: Arm, model: str, benchmark: str, budget: Fraction) -> None:
    from xpflow.decoding.registry import decoder_entry, settings_from
    from xpflow.study.settings import arm_settings

    takes = decoder_entry(arm.decoder).takes_policy
    if takes and arm.policy == "none":
        hint = "shipped, trained, constant:A, confidence:K or a file"
        raise ConfigError(f"decoder {arm.decoder!r} needs a policy", hint=hint)
    if not takes and arm.policy != "none":
        raise ConfigError(f"decoder {arm.decoder!r} takes no policy", hint="leave `policy` out")
    if settings_from(arm.decoder, arm_settings(config, arm, model, benchmark, budget)).steps < 1:
        raise ConfigError(f"no step at budget {budget_text(budget)}", hint="give it a larger budget")


def _combinations(config: StudyConfig) -> Iterator[tuple[Arm, str, str, Fraction]]:
    for arm in config.evaluation.arms:
        for model in arm.models or config.model_names:
            for benchmark in arm.benchmarks or config.benchmark_names:
                for budget in arm.budgets or config.evaluation.budgets:
                    yield arm, model, benchmark, budget
