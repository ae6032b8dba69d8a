"""What must hold between a study and the plug-ins that it names, checked before anything runs.

`check_study` needs no torch: the workflow calls it whenever it is parsed. `check_plugins` builds what the
stages would build: settings and schedules of every arm and stage, policies, objectives. What depends on the
machine is asked by `xpflow.runtime.check`; `xpflow config check` asks all three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from xpflow.budget import budget_text
from xpflow.errors import ConfigError, XpflowError, nearest
from xpflow.models.architectures import ARCHITECTURES
from xpflow.models.registry import architecture_name, model_entry
from xpflow.models.stored import read_fields, read_json
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.protocols import PROTOCOLS
from xpflow.study.answers import check_answers
from xpflow.study.config.evaluation import Arm
from xpflow.study.config.inputs import BenchmarkChoice
from xpflow.study.config.root import StudyConfig
from xpflow.study.config.training import BASE
from xpflow.study.probes import probe_arms, probe_jobs, trained_policies
from xpflow.study.rows import policy_seeds, samples_of, trained_runs

if TYPE_CHECKING:
    from xpflow.decoding.entry import DecodeSettings

FULL = Fraction(1)
NOT_SETTINGS = {"decoder": "an arm's `decoder`", "budget": "an arm's `budgets`, or evaluation.budgets"}


def check_study(config: StudyConfig, source: str) -> None:
    """Raise ConfigError that names the key whose value no stage could use; imports no torch."""
    for model in config.models:
        if model.directory is not None and Path(model.directory).is_dir():
            with told(f"{source}: models[{model.name}].directory"):
                read_fields(model.directory)
    for name in config.problems.sources.files:
        with told(f"{source}: problems.sources.files[{name}]"):
            _check_file_of(name)
    for choice in config.problems.benchmarks:
        with told(f"{source}: problems.benchmarks[{choice.name}]"):
            _check_benchmark(config, choice)
    with told(f"{source}: reporting.trace_problem"):
        _check_trace_problem(config)
    if trained_runs(config):
        with told(f"{source}: selfdata"):
            _check_selfdata(config)
    if policy_seeds(config) or trained_policies(config):
        with told(f"{source}: solvable.benchmark"):
            _require_split(config, config.solvable.benchmark, "train")
        with told(f"{source}: grpo.rollout_shards"):
            _check_shards(config)


def check_plugins(config: StudyConfig, source: str) -> None:
    """Raise ConfigError that names the key whose value a decoder, policy, objective or model refuses."""
    check_arms(config, source)
    check_stages(config, source)
    check_runs(config, source)


def check_arms(config: StudyConfig, source: str) -> None:
    """Raise ConfigError that names the arm when its decoder is unknown or cannot work with its settings."""
    places = {arm.name: place for place, arm in config.swept_arms}
    for model, benchmark in dict.fromkeys((job.model, job.benchmark) for job in probe_jobs(config)):
        for arm, budget in probe_arms(config):
            with told(f"{source}: probes[{arm.name}]"):
                _check_arm(config, arm, model, benchmark, budget)
    with told(f"{source}: multiverse.readings"):
        _check_needs(config)
    for arm, model, benchmark, budget in arm_rows(config):
        with told(f"{source}: {places.get(arm.name, 'evaluation.arms')}[{arm.name}]"):
            _check_arm(config, arm, model, benchmark, budget)


def _check_needs(config: StudyConfig) -> None:
    """A setting that a reading needs must be one: what nobody has is never another value."""
    from xpflow.decoding.registry import decoder_entry

    known = {*decoder_entry(config.multiverse.decoder).settings.model_fields, "policy", "weights"}
    for one in config.multiverse.readings:
        for key in sorted(one.needs.keys() - known):
            raise ConfigError(f"{one.name} needs {key!r}, no setting", hint=nearest(key, known))


def check_stages(config: StudyConfig, source: str) -> None:
    """Raise ConfigError for a stage that decodes, and could not as its block of the study says."""
    for where, model, settings in stage_rows(config, source):
        with told(where):
            _check_decoding(config, model, settings())
    if policy_seeds(config) or trained_policies(config):
        from xpflow.decoding.registry import decoder_entry, decoders_that

        with told(f"{source}: grpo.decoder"):
            if not decoder_entry(config.grpo.decoder).takes_policy:
                able = ", ".join(decoders_that("takes_policy"))
                raise ConfigError(f"{config.grpo.decoder!r} takes no policy", hint=f"these do: {able}")
        with told(f"{source}: grpo.warm_start"):
            _check_policy(config, config.grpo.warm_start or "none", config.grpo.decoder)


def check_runs(config: StudyConfig, source: str) -> None:
    """Raise ConfigError for a training run that its objective or its model refuses."""
    for run in config.training.runs:
        with told(f"{source}: training.runs[{run.name}]"):
            loss = _check_objective(run.objective, run.settings)
            if loss.needs_steps and not config.selfdata.steps:
                raise ConfigError(
                    f"{run.objective} follows the order in which the teacher decided its tokens",
                    hint="set selfdata.steps to true",
                )
    for model, _, _ in trained_runs(config):
        choice, kind = config.model(model), architecture_name(config.model(model).directory or model)
        if choice.training == "lora" and kind is not None and not ARCHITECTURES[kind].lora_targets:
            raise ConfigError(
                f"{source}: models[{model}].training: architecture {kind!r} takes no adapters",
                hint="use `training: full`",
            )


def notes_of(config: StudyConfig) -> list[str]:
    """Return what a valid study lacks for a report like the paper's: its places there hold a dash."""
    from xpflow.decoding.registry import decoder_entry

    if not config.evaluation.arms:
        return []
    flow = [arm for arm in config.evaluation.arms if decoder_entry(arm.decoder).takes_policy]
    plain = [arm for arm in config.evaluation.arms if arm not in flow]
    notes = []
    if not any(arm.weights != BASE for arm in flow):
        notes.append("no arm with a policy has trained weights: the report has no aligned flow to show")
    headline = config.reporting.headline_budget
    if all(headline not in (arm.budgets or config.evaluation.budgets) for arm in config.evaluation.arms):
        notes.append(
            f"no arm has budget {budget_text(headline)} (reporting.headline_budget): claims, ablations "
            "and Table 1 have nothing to show"
        )
    budgets = {budget for arm in plain for budget in arm.budgets or config.evaluation.budgets}
    if FULL not in budgets:
        notes.append("no arm without a policy has budget 1/1: the report cannot say what share of it is kept")
    return notes


@contextmanager
def told(where: str) -> Iterator[None]:
    """Put the place in a study before the message of an error."""
    try:
        yield
    except XpflowError as error:
        raise ConfigError(f"{where}: {error.message}", hint=error.hint) from error


def arm_rows(config: StudyConfig) -> Iterator[tuple[Arm, str, str, Fraction]]:
    """Yield (arm, model, benchmark, budget) of everything that is evaluated."""
    for arm in config.arms:
        for model in arm.models or config.model_names:
            for benchmark in arm.benchmarks or config.benchmark_names:
                for budget in arm.budgets or config.evaluation.budgets:
                    yield arm, model, benchmark, budget


def _check_benchmark(config: StudyConfig, choice: BenchmarkChoice) -> None:
    _require_split(config, choice.name, choice.split)
    shape = BENCHMARKS[choice.entry].shape
    for model in config.models:
        length = PROTOCOLS[model.protocol].gen_length(shape)
        if length not in (None, choice.gen_length):
            raise ConfigError(
                f"gen_length: protocol {model.protocol} of {model.name} decodes {length} tokens, "
                f"not {choice.gen_length}",
                hint="an arm may have another length: `settings: {gen_length: N}`",
            )


def _check_file_of(name: str) -> None:
    """Raise an XpflowError where a benchmark takes no file under `problems.sources.files`."""
    benchmark = BENCHMARKS[name]
    if benchmark.file_setting != f"files.{name}":
        own = f"its file is problems.sources.{benchmark.file_setting}"
        hint = own if benchmark.file_setting else "its problems are made here: leave it out"
        raise ConfigError(f"{name} takes no file here", hint=hint)


def _require_split(config: StudyConfig, name: str, split: str | None = None) -> int:
    """Return the size of a benchmark's split; raises an XpflowError where there is none."""
    benchmark = BENCHMARKS[config.benchmark_entry(name)]
    wanted = split or benchmark.default_split
    if wanted not in benchmark.splits:
        raise ConfigError(f"there is no split {wanted!r} of {name}", hint=nearest(wanted, benchmark.splits))
    return benchmark.sizes[wanted]


def is_local(config: StudyConfig, name: str) -> bool:
    """Return whether a benchmark's problems come from a file of the study: as many as there are."""
    sources = config.problems.sources.model_dump()
    return BENCHMARKS[config.benchmark_entry(name)].local_file(sources) is not None


def _check_trace_problem(config: StudyConfig) -> None:
    if not config.problems.benchmarks:
        return
    first, place = config.problems.benchmarks[0], config.reporting.trace_problem
    size = _require_split(config, first.name, first.split)
    count = min(size, first.limit or size)
    if place >= count and not is_local(config, first.name):
        raise ConfigError(f"{first.name} has {count} problems, no number {place}", hint="they count from 0")


def _check_selfdata(config: StudyConfig) -> None:
    block = config.selfdata
    size = _require_split(config, block.benchmark, block.split)
    if not is_local(config, block.benchmark):
        block.asked(max(seed for _, _, seed in trained_runs(config)), size)
    check_answers(config)


def _check_shards(config: StudyConfig) -> None:
    shards, processes = config.grpo.rollout_shards, config.runtime.processes
    if shards % processes:
        raise ConfigError(
            f"{shards} parts cannot be shared out to {processes} processes",
            hint=f"set it to a multiple of {processes} (it changes the random streams)",
        )


def _check_arm(config: StudyConfig, arm: Arm, model: str, benchmark: str, budget: Fraction) -> None:
    from xpflow.decoding.registry import decoder_entry, settings_from
    from xpflow.study.settings import arm_settings

    entry = decoder_entry(arm.decoder)
    if not entry.takes_policy and arm.policy != "none":
        raise ConfigError(f"decoder {arm.decoder!r} takes no policy", hint="leave `policy` out")
    for name in {**config.evaluation.settings, **arm.settings_for(model)}.keys() & NOT_SETTINGS:
        raise ConfigError(f"{name} is no setting", hint=f"it is {NOT_SETTINGS[name]}")
    _check_policy(config, arm.policy, arm.decoder)
    settings = settings_from(arm.decoder, arm_settings(config, arm, model, benchmark, budget))
    asks = entry.takes_policy and entry.asks_policy(settings)
    if asks and arm.policy == "none":
        hint = "shipped, trained, constant:A, confidence:K or a file"
        raise ConfigError(f"decoder {arm.decoder!r} needs a policy", hint=hint)
    if not asks and arm.policy != "none":
        raise ConfigError(f"decoder {arm.decoder!r} asks no policy here", hint="leave `policy` out")
    entry.require_used(settings, arm.settings_for(model))
    _check_decoding(config, model, settings)
    if samples_of(config, arm) > 1:
        _check_draws(config, model, settings)


def _check_draws(config: StudyConfig, model: str, settings: DecodeSettings) -> None:
    """Refuse several samples where nothing is drawn; weights that are not here yet may start from draws."""
    from xpflow.decoding.samples import require_draws
    from xpflow.noise import noise_of

    fields = model_fields(config, model)
    if fields is not None:
        require_draws(settings, noise_of(SimpleNamespace(**fields)))
    elif model_entry(config.model(model).directory or model):  # a published one: it starts from one mask
        require_draws(settings, None)


def _check_policy(config: StudyConfig, spec: str, decoder: str) -> None:
    """Refuse a policy that is none, or that was trained for another action than the decoder's."""
    from xpflow.decoding.policies.asked import require_action
    from xpflow.decoding.policies.load import load_policy
    from xpflow.decoding.registry import decoder_entry

    action = decoder_entry(decoder).policy_action
    if spec == "trained" and decoder_entry(config.grpo.decoder).policy_action != action:
        raise ConfigError(
            f"the study's policy is trained for {config.grpo.decoder!r}, and {decoder!r} acts otherwise",
            hint=f"set grpo.decoder to {decoder}, or take a policy by name or file",
        )
    if spec not in ("none", "trained"):
        require_action(load_policy(spec), decoder, action)


def _check_decoding(config: StudyConfig, model: str, settings: DecodeSettings) -> None:
    """Check what `decode` would: steps, schedule and cache on a model's blocks."""
    from xpflow.decoding.blocks import schedule_of
    from xpflow.decoding.windows import NO_CACHE, NO_CACHE_HINT

    block = block_length(config, model)
    if settings.steps < 1:
        raise ConfigError(f"no step at budget {budget_text(settings.budget)}", hint="give it a larger budget")
    if block is None:
        return
    with told(model):
        schedule_of(settings, block)
        if settings.kv_cache == "on" and not block:
            raise ConfigError(NO_CACHE, hint=NO_CACHE_HINT)


def block_length(config: StudyConfig, model: str) -> int | None:
    """Return a model's block length, 0 for a bidirectional one; None for a directory that is not here yet."""
    place = config.model(model).directory or model
    kind = architecture_name(place)
    if kind is None or kind not in set(ARCHITECTURES):
        return None
    return ARCHITECTURES[kind].sizes(model_fields(config, model) or {}).block_length


def model_fields(config: StudyConfig, model: str) -> dict[str, Any] | None:
    """Return what a model's config.json says; None where it is not here yet."""
    place = config.model(model).directory or model
    entry = model_entry(place)
    file = (entry.shipped_folder if entry else Path(place)) / "config.json"
    return read_json(file) if file.is_file() else None


def stage_rows(config: StudyConfig, source: str) -> Iterator[tuple[str, str, Callable[[], DecodeSettings]]]:
    """Yield (place in the study, model, maker of its settings) of every other stage that decodes."""
    from xpflow.decoding.registry import settings_from
    from xpflow.protocols.find import find_protocol
    from xpflow.study.plugins import shape
    from xpflow.study.settings import stage_settings

    for model in dict.fromkeys(model for model, _, _ in trained_runs(config)):
        protocol = find_protocol(config.model(model).protocol)
        kind = shape(config, config.selfdata.benchmark)
        yield f"{source}: selfdata", model, partial(stage_settings, config.selfdata, protocol, kind)
    budgets = [config.grpo.train_budget] if policy_seeds(config) else []
    budgets += [one.train_budget for one in trained_policies(config) if one.train_budget]
    if budgets:
        grpo, block = config.grpo, config.solvable
        protocol, kind = find_protocol(config.model(grpo.model).protocol), shape(config, block.benchmark)
        yield f"{source}: solvable", grpo.model, partial(stage_settings, block, protocol, kind)
        rollout = {"gen_length": block.gen_length, "suppress": "special"}
        for budget in budgets:
            where, chosen = f"{source}: grpo.train_budget", {**rollout, "budget": budget}
            yield where, grpo.model, partial(settings_from, grpo.decoder, chosen)
        if grpo.validate_every:
            held = {**rollout, "budget": config.reporting.headline_budget}
            where = f"{source}: reporting.headline_budget, at which grpo validates"
            yield where, grpo.model, partial(settings_from, grpo.decoder, held)


def _check_objective(name: str, values: Mapping[str, Any]) -> Any:
    """Return an objective as its training would build it."""
    from xpflow.training.objectives import OBJECTIVES

    return OBJECTIVES[name].make(OBJECTIVES[name].checked(values, name))
