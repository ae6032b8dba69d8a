"""The setting at which an adaptive decoder needs as many forwards as a budget allows another one.

The mean NFE follows a decoder's knob monotonically, up to rounding at ties, so bisection finds the value.
Validation problems only: an arm of "equal mean NFE" must not be fitted to what it is tested on. Every
benchmark is decoded as the arm decodes it: with its N, the protocol's settings, the study's and the model's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from xpflow.decoding import decode, settings_from
from xpflow.decoding.entry import Knob
from xpflow.decoding.registry import decoder_entry, decoders_that
from xpflow.errors import ConfigError
from xpflow.problems.benchmark import load_benchmark
from xpflow.protocols.prompter import Prompter
from xpflow.study.config import Arm, StudyConfig
from xpflow.study.settings import arm_settings

ROUNDS = 12


@dataclass(frozen=True, slots=True)
class Match:
    """A value of a knob and the mean NFE that it takes."""

    value: float
    mean_nfe: float


@dataclass(frozen=True, slots=True)
class Part:
    """The validation prompts of a benchmark and the settings that an arm decodes them with."""

    prompts: Sequence[Sequence[int]]
    settings: dict[str, Any]


def knob_of(decoder: str) -> Knob:
    """Return the knob of a decoder; raises ConfigError where its NFE follows none."""
    knob = decoder_entry(decoder).knob
    if knob is None:
        able = ", ".join(decoders_that("knob"))
        raise ConfigError(f"no setting of {decoder!r} decides its NFE", hint=f"decoders with one: {able}")
    return knob


def arm_parts(
    study: StudyConfig, arm: Arm, model: str, prompter: Prompter, limit: int | None = None
) -> Iterator[Part]:
    """Yield what an arm decodes of a model's benchmarks, on validation problems, under its largest budget."""
    budget, sources = max(arm.budgets, default=Fraction(1)), study.problems.sources.model_dump()
    for benchmark in arm.benchmarks or study.benchmark_names:
        problems = load_benchmark(study.benchmark_entry(benchmark), "validation", limit, sources)
        prompts = [prompter.encode(problem) for problem in problems]
        yield Part(prompts, arm_settings(study, arm, model, benchmark, budget))


def matched(
    model: Any,
    decoder: str,
    parts: Sequence[Part],
    budget: Fraction,
    *,
    policy: str | None = None,
    rounds: int = ROUNDS,
    report: Callable[[Match], None] | None = None,
) -> Match:
    """Return the value of a decoder's knob whose mean NFE over all prompts comes closest to budget times N.

    Args:
        rounds: bisections; the last interval is 2 ** -rounds of the knob's range.
        report: called after every try.
    """
    knob, target = knob_of(decoder), float(budget * mean_length(parts))
    low, high, tried = knob.low, knob.high, list[Match]()
    for _ in range(rounds):
        value = round((low + high) / 2) if knob.whole else (low + high) / 2
        if any(match.value == value for match in tried):
            break
        tried.append(Match(value, _mean_nfe(model, decoder, parts, {knob.setting: value}, policy)))
        upwards = (tried[-1].mean_nfe < target) == knob.rises
        low, high = (value, high) if upwards else (low, value)
        if report is not None:
            report(tried[-1])
    return min(tried, key=lambda match: (abs(match.mean_nfe - target), match.value))


def mean_length(parts: Sequence[Part]) -> Fraction:
    """Return the mean N over all prompts."""
    total = sum(int(part.settings["gen_length"]) * len(part.prompts) for part in parts)
    return Fraction(total, sum(len(part.prompts) for part in parts))


def _mean_nfe(
    model: Any, decoder: str, parts: Sequence[Part], change: dict[str, Any], policy: str | None
) -> float:
    forwards, rows = 0, 0
    for part in parts:
        settings = settings_from(decoder, {**part.settings, **change})
        forwards += int(decode(model, part.prompts, settings, policy).nfe.sum())
        rows += len(part.prompts)
    return forwards / rows
