"""Fingerprints of stages: a rule carries its stage's in `params`, so that exactly the right jobs rerun.

A fingerprint covers the settings that a stage reads and the content of the shipped files that it uses, but
nothing of how the machine is used (threads, shards, device, workers). What an earlier stage made is not part
of it: Snakemake passes that on through the files.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from xpflow.artifacts.canonical import digest
from xpflow.artifacts.io import sha256_file
from xpflow.errors import ConfigError
from xpflow.models.registry import hub_model
from xpflow.policies import shipped_file
from xpflow.protocols.find import find_protocol
from xpflow.study.config.evaluation import Arm
from xpflow.study.config.root import StudyConfig
from xpflow.study.probes import ProbeJob, readers_at
from xpflow.study.rows import Job, samples_of
from xpflow.study.text import CouplingJob, TextJob, measured_of, recipe_of, text_run

PACKAGE = Path(__file__).parents[1]
MODELS = PACKAGE / "models" / "shipped"
TEMPLATES = PACKAGE / "reporting" / "page" / "templates"
LARGE = 200_000_000  # bytes; a larger checkpoint is known by its size
OF_A_CLAIM: dict[str, Any] = {"also_at": [], "at_b": None, "least": 1.0, "by": 0.0}


def fingerprint(*values: Any) -> str:
    """Return the first 12 hexadecimal digits of the SHA-256 of the values' canonical JSON (RFC 8785)."""
    return digest(values)[:12]


def problems(config: StudyConfig, benchmark: str) -> str:
    """Return the fingerprint of a benchmark's problem file."""
    chosen = config.benchmark(benchmark)
    return fingerprint(chosen.name, chosen.split, chosen.limit, config.problems.sources)


def training_problems(config: StudyConfig) -> str:
    """Return the fingerprint of the problems that the policy may be trained on."""
    return fingerprint(config.solvable.benchmark, config.solvable.limit, config.problems.sources)


def selfdata(config: StudyConfig, model: str) -> str:
    """Return the fingerprint of a model's own answers."""
    return fingerprint(
        _selfdata(config), config.problems.sources, _base(config, model), _protocols(config, model)
    )


def grade_answers(config: StudyConfig, model: str) -> str:
    """Return the fingerprint of the verdicts on a model's own answers; the answers are an input."""
    tests = (config.selfdata.benchmark, config.selfdata.split, config.problems.sources)
    return fingerprint(tests, _verdicts(config), _base(config, model), _protocols(config, model))


def train(config: StudyConfig, model: str, run: str) -> str:
    """Return the fingerprint of a training run."""
    block, how, chosen = config.training, config.model(model).training, config.run(run)
    rest = block.model_dump(mode="json", exclude={"runs", "full", "lora"})
    settings = _without_muon(getattr(block, how).model_dump(mode="json"))
    return fingerprint(how, settings, _run(chosen.model_dump(mode="json")), rest, _base(config, model))


def solvable(config: StudyConfig, model: str) -> str:
    """Return the fingerprint of the filter for training problems."""
    return fingerprint(config.solvable, _verdicts(config), _base(config, model), _protocols(config, model))


def grpo(config: StudyConfig) -> str:
    """Return the fingerprint of the policy training."""
    block = config.grpo
    validation = (config.problems, config.reporting.headline_budget) if block.validate_every else ()
    numbers = (config.solvable.gen_length, config.runtime.dtype)
    return fingerprint(block, validation, numbers, _verdicts(config), _protocols(config, block.model))


def decode(config: StudyConfig, job: Job) -> str:
    """Return the fingerprint of a decoding job: its arms and budgets, and no others."""
    choice = config.model(job.model)
    length = config.benchmark(job.benchmark).gen_length
    arms = {row.arm: config.arm(row.arm) for row in job.rows}
    ways = [
        (
            name,
            arm.decoder,
            arm.settings_for(job.model),
            arm.policy,
            _policy(arm.policy),
            *_several(config, arm),
        )
        for name, arm in arms.items()
    ]
    block = config.evaluation
    shared = (block.settings, block.batch_size, length, choice.block_length)
    return fingerprint(job.cells, ways, shared, _base(config, job.model), _protocols(config, job.model))


def probe(config: StudyConfig, job: ProbeJob) -> str:
    """Return the fingerprint of a probing job."""
    block, choice = config.probes, config.model(job.model)
    apart: dict[str, Any] = {"places": True, "benchmarks": True, "region": True, "preregistration": True}
    apart["noisy"] = {"readers", "preregistration"}
    apart |= dict.fromkeys(_mixed_alone(config), True)
    readers = [(one.model_dump(mode="json"),) for one in readers_at(config, job.place)]
    rest = block.model_dump(mode="json", exclude=apart)
    length, evaluation = config.benchmark(job.benchmark).gen_length, config.evaluation
    shared = (evaluation.settings, evaluation.batch_size, length, choice.block_length, job.weights)
    if block.passes:
        rest["soft"] = next(one.soft for one in block.places if one.name == job.place)
    policies = [_policy(one.policy) for one in block.policies if one.policy]
    how = (_verdicts(config), _base(config, job.model), _protocols(config, job.model))
    return fingerprint(rest, shared, policies, how, *readers)


def text_train(config: StudyConfig, job: TextJob) -> str:
    """Return the fingerprint of a training on a world, and of how its model is measured."""
    run = text_run(config, job.run)
    begins = run.model_dump(mode="json", include={"start", "couplings", "continue_noise"})
    return fingerprint(recipe_of(config, job), measured_of(config), begins)


def text_couple(job: CouplingJob) -> str:
    """Return the fingerprint of couplings; the model that makes them is an input."""
    return fingerprint(job.pairs, job.steps)


def grade(config: StudyConfig, model: str) -> str:
    """Return the fingerprint of grading a model's answers."""
    return fingerprint(_verdicts(config), _protocols(config, model))


def trace(config: StudyConfig) -> str:
    """Return the fingerprint of the decoding picture's trace."""
    if not config.models:
        raise ConfigError("a study without models has no picture of a decoding")
    report = config.reporting
    choice = config.models[0]
    which = (report.trace_arm, report.trace_problem, report.headline_budget, choice.block_length)
    how = (_base(config, choice.name), _protocols(config, choice.name))
    return fingerprint(which, _evaluation(config), config.problems, how)


def prompts(config: StudyConfig) -> str:
    """Return the fingerprint of the page of first prompts; the tokenizers are among a model's files."""
    models = [(entry.name, entry.protocol, _base(config, entry.name)) for entry in config.models]
    names = (config.study.name, config.benchmark_names, _protocols(config, *config.model_names))
    return fingerprint(names, models)


def report(config: StudyConfig) -> str:
    """Return the fingerprint of tables and figures: every key except how the machine is used."""
    weights = [_base(config, name) for name in config.model_names]
    machine: dict[str, Any] = {"runtime": True, "pretrain": True, "grading": {"workers", "retries"}}
    protocols = _protocols(config, *config.model_names)
    # a study without such a block is what it was before there was any
    empty = {
        "frontier": not config.frontier.curves,
        "factorial": not config.factorial.factors,
        "multiverse": not config.multiverse.readings,
        "probes": not config.probes.places,
        "text": not (config.text.pairs or config.text.corpus_pairs),
    }
    machine |= {name: True for name, none in empty.items() if none}
    if config.probes.places and (apart := _mixed_alone(config)):
        machine["probes"] = apart
    settings = {
        **config.model_dump(mode="json", exclude=machine),
        "evaluation": _evaluation(config),
        "selfdata": _selfdata(config),
    }
    settings["reporting"] = _without(settings["reporting"], {"training_cost": False})
    if "text" in settings:
        settings["text"] = _text(settings["text"])
    settings["training"]["full"] = _without_muon(settings["training"]["full"])
    settings["training"]["runs"] = [_run(run) for run in settings["training"]["runs"]]
    if "frontier" in settings:
        claims = settings["frontier"]["preregistration"]
        settings["frontier"]["preregistration"] = [_without(claim, OF_A_CLAIM) for claim in claims]
    return fingerprint(settings, weights, protocols)


def _mixed_alone(config: StudyConfig) -> set[str]:
    """Return keys of block `probes` that say nothing where only mixed states are probed, as once always."""
    return set() if config.probes.noisy.readers else {"mixed", "noisy"}


def _several(config: StudyConfig, arm: Arm) -> list[int]:
    """Return how many samples of each problem an arm takes; nothing for one, as before there were several."""
    count = samples_of(config, arm)
    return [count] if count > 1 else []


def _without_muon(how: dict[str, Any]) -> dict[str, Any]:
    """Return settings of a training; where no matrix has a rate of its own, as before there was one."""
    return {key: value for key, value in how.items() if key != "matrix_rate" or value is not None}


def _run(run: dict[str, Any]) -> dict[str, Any]:
    """Return a training run, without keys that say what was so before there were any."""
    return _without(run, {"updates": None, "batch_size": None, "answers": "all"})


def _text(block: dict[str, Any]) -> dict[str, Any]:
    """Return block `text`, without keys that say what was so before there were corpora in it."""
    neutral: dict[str, Any] = {"warmup_updates": 50, "average": 0.0}
    of_run: dict[str, Any] = {"warmup_updates": None, "published": {}}
    runs = [
        {key: value for key, value in run.items() if key not in of_run or value != of_run[key]}
        for run in block["runs"]
    ]
    kept = {key: value for key, value in block.items() if key not in neutral or value != neutral[key]}
    if not kept["corpus"]["texts"]:
        del kept["corpus"]
    return {**kept, "runs": runs}


def _selfdata(config: StudyConfig) -> dict[str, Any]:
    """Return block `selfdata`, without keys that say what was so before there were any."""
    block = config.selfdata.model_dump(mode="json")
    return _without(block, {"split": None, "settings": {}, "steps": False, "answers": "own"})


def _without(values: dict[str, Any], neutral: dict[str, Any]) -> dict[str, Any]:
    """Return values without those that say what was so before there were such keys."""
    return {key: value for key, value in values.items() if key not in neutral or value != neutral[key]}


def _evaluation(config: StudyConfig) -> dict[str, Any]:
    """Return block `evaluation`, without what says that there is one sample of each problem."""
    block = config.evaluation.model_dump(mode="json")
    for part, neutral in ((block, 1), *((arm, None) for arm in block["arms"])):
        if part["samples_per_task"] == neutral:
            del part["samples_per_task"]
    return block


def page(config: StudyConfig) -> str:
    """Return the fingerprint of the report as a page: that of the tables, and the page's own templates."""
    parts = [(path.name, content_of(path)) for path in sorted(TEMPLATES.iterdir()) if path.is_file()]
    return fingerprint(report(config), prompts(config), parts)


def _base(config: StudyConfig, model: str) -> tuple[Any, ...]:
    """Return what identifies a model's base weights and the precision it runs in."""
    choice = config.model(model)
    folder = Path(choice.directory) if choice.directory else MODELS / choice.name
    files = sorted(path for path in folder.glob("*") if path.suffix in {".safetensors", ".json"})
    content = [(path.name, content_of(path)) for path in files]
    repo = hub_model(model)
    name = f"{model}@{repo.revision}" if repo is not None and not choice.directory else model
    return (name if not content else "", content, config.runtime.dtype)


def _protocols(config: StudyConfig, *models: str) -> list[str]:
    """Return name and version of the models' protocols, each once."""
    return sorted({find_protocol(config.model(model).protocol).label for model in models})


def _policy(spec: str) -> Any:
    """Return the content of the file that a policy's spec stands for; None for those without one."""
    path = shipped_file(spec) or Path(spec)
    if not path.is_file():
        return None
    return [content_of(path)] if spec == "shipped" else content_of(path)


def _verdicts(config: StudyConfig) -> dict[str, Any]:
    return config.grading.model_dump(include={"jail", "cpu_s", "wall_s", "memory_mib"})


def content_of(path: Path) -> str:
    """Return what a shipped or named file holds, as a hash; a large one counts by its size."""
    stat = path.stat()
    return _hash(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=256)
def _hash(path: Path, mtime_ns: int, size: int) -> str:
    return str(size) if size > LARGE else sha256_file(path)
