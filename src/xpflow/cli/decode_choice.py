"""What options of `xpflow decode` leave open, study and arm say: protocol, settings, policy, problems."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xpflow.decoding import DecodeSettings
    from xpflow.problems import Problem
    from xpflow.protocols.protocol import Protocol
    from xpflow.study.config import StudyConfig


@dataclass(frozen=True, slots=True)
class Choice:
    """Which decoder with which settings: from the command line, or from an arm of a study."""

    model: str
    benchmark: str | None
    decoder: str | None
    budget: str
    arm: str | None
    changes: dict[str, Any]
    protocol: str


SETTING = re.compile(r":(?=\w+=)")  # before a decoder's own setting in --compare
FOR_A_PROMPT: tuple[str, dict[str, Any]] = ("threshold", {"threshold": 0.95})


def for_a_prompt(
    given: str | None, budget: bool, changes: dict[str, Any]
) -> tuple[str | None, dict[str, Any]]:
    """Return decoder and changed settings of a single prompt: those given, else threshold at 0.95.

    With a budget given it is the first of the table: of that the budget says how many forwards it takes.
    On 200 validation problems of either shape of MicroPy, llada-micro passes as many at 0.95 (92.5 and 91 %)
    as mask prediction does (92.5 and 91.5 %), with 7.4 forwards instead of 32; at 0.9 it is 89.5 and 87 %.
    """
    if given is not None or budget:
        return given, changes
    decoder, settings = FOR_A_PROMPT
    return decoder, {**settings, **changes}


def compared(
    names: str | None, choice: Choice, study: StudyConfig | None, policy: str | None
) -> list[tuple[DecodeSettings, str | None]]:
    """Return settings and policy of each decode of --compare; a policy goes to those that take one.

    A decoder may have settings of its own behind its name, and come more than once with other ones:
    threshold:threshold=0.5,threshold:threshold=0.9,mask_prediction:budget=1/4.

    Raises:
        ConfigError, DecodingError: no decoder, one twice, or one that does not have the settings.
    """
    from xpflow.decoding.registry import decoder_entry
    from xpflow.errors import ConfigError

    found: dict[str, tuple[DecodeSettings, str | None]] = {}
    wanted = [] if names is None else [part.strip() for part in names.split(",")]
    decoders = {part: SETTING.split(part)[0] for part in wanted if part}
    if (
        wanted
        and policy is not None
        and not any(decoder_entry(one).takes_policy for one in decoders.values())
    ):
        raise ConfigError("--policy does nothing here: none of --compare takes one", hint="leave it out")
    for part in wanted:
        if not part or part in found:
            raise ConfigError(
                f"--compare {names!r}: {'a decoder twice' if part else 'an empty name'}",
                hint="write names with commas between them, as --compare threshold,mask_prediction",
            )
        name, own = decoders[part], pairs_of(SETTING.split(part)[1:], "--compare")
        budget = own.pop("budget", choice.budget)
        chosen = replace(choice, decoder=name, budget=budget, changes={**choice.changes, **own})
        able = policy if decoder_entry(name).takes_policy else None
        found[part] = (settings_of(chosen, study), policy_of(able, None, study, name))
    return list(found.values())


def protocol_of(given: str | None, model: str, study: StudyConfig | None, arm: str | None) -> Protocol:
    """Return the protocol: the one given, else the study's for the model, else micropy."""
    from xpflow.errors import ConfigError
    from xpflow.protocols.find import find_protocol

    if given is not None and arm is not None:
        raise ConfigError("--arm brings the protocol of its study", hint="leave out --protocol")
    if given is None and study is not None:
        from xpflow.runtime.models import model_protocol

        return model_protocol(study, model)
    return find_protocol(given or "micropy")


def settings_of(choice: Choice, study: StudyConfig | None) -> DecodeSettings:
    """Return decoder settings: the arm's, or the command line's; --set wins over both."""
    from xpflow.budget import parse_budget
    from xpflow.decoding.registry import decoder_entry, default_decoder, settings_from
    from xpflow.errors import ConfigError
    from xpflow.problems.benchmark import benchmark_shape
    from xpflow.study.settings import arm_settings, protocol_settings

    decoder = choice.decoder or default_decoder()
    shape = benchmark_shape(choice.benchmark or "")
    own = protocol_settings(choice.protocol, shape, decoder)
    values: dict[str, Any] = {**own, "budget": choice.budget}
    if choice.arm is not None:
        if choice.decoder is not None:
            raise ConfigError("give --arm or --decoder", hint="an arm brings its decoder")
        if study is None or choice.benchmark is None:
            raise ConfigError("--arm needs --config and --benchmark", hint="an arm belongs to a study")
        arm = study.arm(choice.arm)
        decoder = arm.decoder
        values = arm_settings(study, arm, choice.model, choice.benchmark, parse_budget(choice.budget))
    elif study is not None and choice.benchmark is not None:
        lengths = {entry.name: entry.gen_length for entry in study.problems.benchmarks}
        values |= {"batch_size": study.evaluation.batch_size}
        values |= {"gen_length": lengths[choice.benchmark]} if choice.benchmark in lengths else {}
    for name in ("decoder", "budget"):
        if name in choice.changes:
            raise ConfigError(f"--set {name}=... is an option of its own", hint=f"give --{name}")
    settings = settings_from(decoder, {**values, **choice.changes})
    decoder_entry(decoder).require_used(settings, choice.changes)
    if settings.steps < 1:
        raise ConfigError(f"no step at budget {choice.budget}", hint="give a larger budget")
    return settings


def policy_of(given: str | None, arm: str | None, study: StudyConfig | None, decoder: str) -> str | None:
    """Return the policy's spec: the one given, else the arm's, else none (the settings' own).

    Raises:
        ConfigError, DecodingError: there is no such policy, or the decoder takes none.
    """
    from xpflow.decoding.policies.load import load_policy
    from xpflow.decoding.registry import decoder_entry, decoders_that
    from xpflow.errors import ConfigError

    if given is None and arm is not None and study is not None:
        given = study.arm(arm).policy
        if given == "trained":
            raise ConfigError(f"arm {arm!r} uses a trained policy", hint="give its file: --policy FILE")
    if given is None or given == "none":
        return None
    if not decoder_entry(decoder).takes_policy:
        able = ", ".join(decoders_that("takes_policy"))
        raise ConfigError(f"--policy: decoder {decoder!r} takes none", hint=f"these do: {able}")
    load_policy(given)
    return given


def samples_of(
    given: int | None, arm: str | None, study: StudyConfig | None, settings: DecodeSettings, model: str
) -> int:
    """Return how many samples of each problem to take: as many as given, else the arm's, else one.

    Raises:
        ConfigError: several, and neither decoder nor noise draws anything: all would be the same.
    """
    from xpflow.study.rows import samples_of as of_arm

    if given is None and arm is not None and study is not None:
        given = of_arm(study, study.arm(arm))
    if given is None or given == 1:
        return 1
    from xpflow.decoding.samples import require_draws
    from xpflow.models.checkpoint import read_config
    from xpflow.models.registry import model_folder
    from xpflow.noise import noise_of
    from xpflow.runtime.models import model_source

    folder = model_folder(model if study is None else model_source(study, model))
    require_draws(settings, noise_of(read_config(folder)))
    return given


def problems_of(
    benchmark: str, split: str | None, limit: int | None, study: StudyConfig | None
) -> list[Problem]:
    """Return the problems; the study's split, limit and sources unless given."""
    from xpflow.problems.benchmark import load_benchmark

    sources = None
    if study is not None:
        sources = study.problems.sources.model_dump()
        entry = {entry.name: entry for entry in study.problems.benchmarks}.get(benchmark)
        benchmark = entry.entry if entry else benchmark
        split = split or (entry.split if entry else None)
        limit = limit or (entry.limit if entry else None)
    return load_benchmark(benchmark, split, limit, sources)


def pairs_of(texts: list[str], option: str = "--set") -> dict[str, Any]:
    """Return the settings of an option; "none" stands for no value."""
    from xpflow.errors import ConfigError

    pairs: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(
                f"{option} {text!r} has no value", hint="write KEY=VALUE, as --set threshold=0.8"
            )
        if key.strip() in pairs:
            raise ConfigError(f"{option} {key.strip()} is given twice", hint="which one is meant?")
        pairs[key.strip()] = None if value.lower() == "none" and key != "suppress" else value
    return pairs
