"""What a study needs of this machine, asked before its first job: data, prompts that fit, jail, device, disk.

`check_data` reads what lies here already; what is still to be fetched is checked when it is used, and named.
`check_machine` is for the machine that the jobs run on.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from xpflow.artifacts.outputs import require_writable
from xpflow.errors import ArtifactError, ConfigError, HubError
from xpflow.grading.jails.choose import choose_jail
from xpflow.models.registry import model_folder
from xpflow.plugins import is_file
from xpflow.problems.benchmark import load_benchmark
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.problems.problem import Problem
from xpflow.problems.shapes import SHAPES
from xpflow.protocols.find import find_protocol
from xpflow.protocols.prompter import Prompter
from xpflow.study.check import arm_rows, is_local, told
from xpflow.study.config.root import StudyConfig
from xpflow.study.layout import Layout
from xpflow.study.probes import probe_jobs, trained_policies
from xpflow.study.rows import policy_seeds, trained_runs

Part = tuple[str, str | None, int | None]  # benchmark, split, how many problems
LONGER = 8  # tokens that a prompt may have beyond its bytes: BOS and the like


def check_data(config: StudyConfig, source: str, here: bool = True) -> list[str]:
    """Raise ConfigError where data or a tokenizer cannot be read, or a prompt and N do not fit a model.

    Returns notes on what is not here yet, so could not be checked. Folders and files that a study names must
    be here, unless it is checked for another machine.
    """
    from xpflow.models.checkpoint import read_config  # torch: not where only the machine is asked
    from xpflow.models.load import named_tokenizer
    from xpflow.runtime.models import model_source

    notes: list[str] = []
    loaded = cache(lambda part: _load(config, part))
    for model in config.model_names:
        with told(f"{source}: models[{model}]"):
            place = config.model(model).directory
            try:
                if place and not here and not Path(place).is_dir():
                    raise HubError(f"no such folder: {place}")
                folder = model_folder(model_source(config, model))
                tokenizer = named_tokenizer(model_source(config, model))
            except HubError:
                notes.append(f"{model} is not here yet: its prompts were not checked")
                continue
            prompter = Prompter(find_protocol(config.model(model).protocol), tokenizer)
            positions = getattr(read_config(folder), "max_position_embeddings", None)
        for place, part, length in _asked(config, model):
            with told(f"{source}: {place}"):
                if positions is None or _surely_fits(config, part[0], prompter, length, positions):
                    continue
                problems = loaded(part) if here or not _lacks_file(config, part[0]) else None
                if problems is None:
                    notes.append(f"{part[0]} is not here yet: its prompts were not checked")
                else:
                    _check_lengths(prompter, problems, length, positions, model)
    if here and trained_runs(config) and is_local(config, config.selfdata.benchmark):
        with told(f"{source}: selfdata"):
            found = loaded((config.selfdata.benchmark, config.selfdata.split, None)) or []
            config.selfdata.asked(max(seed for _, _, seed in trained_runs(config)), len(found))
    return list(dict.fromkeys(notes))


def check_machine(config: StudyConfig, source: str, disk: float = 0.0) -> None:
    """Raise ConfigError where this machine lacks what a study needs; `disk`: bytes that its results take."""
    for _, check in machine_checks(config, source, lambda: disk):
        check()


def machine_checks(
    config: StudyConfig, source: str, disk: Callable[[], float]
) -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield (name, check) of all that the machine must have; a check returns what it found, in words."""
    layout = Layout.of(config.study.name)

    def jail() -> str:
        with told(f"{source}: grading.jail"):
            found = choose_jail(config.grading.jail)
        return f"{getattr(found, 'name', config.grading.jail)} works: programs run apart from this machine"

    def device() -> str:
        with told(f"{source}: runtime.device"):
            _require_device(config.runtime.device)
        cores = len(os.sched_getaffinity(0))
        return f"{config.runtime.device}, {cores} cores, {config.runtime.threads} for a job that runs a model"

    def outputs() -> str:
        with told(f"{source}: study.name"):
            for folder in (layout.results, layout.figures):
                require_writable(folder, folder=True)
        return f"{layout.results} and {layout.figures} can be written to"

    def room() -> str:
        with told(f"{source}: study.name"):
            needed = disk()
            free = _require_space(layout.results, needed)
        return f"{_size(needed)} needed at most, {_size(free)} free"

    if config.models:  # or there are no programs
        yield "jail", jail
    yield from (("outputs", outputs), ("device", device), ("disk", room))


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _asked(config: StudyConfig, model: str) -> Iterator[tuple[str, Part, int]]:
    """Yield (place in the study, problems, response length) of all that a model is asked."""
    from xpflow.study.settings import arm_settings

    longest: dict[str, int] = {}
    for arm, name, benchmark, budget in arm_rows(config):
        if name == model:
            length = int(arm_settings(config, arm, model, benchmark, budget)["gen_length"])
            longest[benchmark] = max(length, longest.get(benchmark, 0))
    for job in probe_jobs(config):
        if job.model == model:
            length = config.benchmark(job.benchmark).gen_length
            longest[job.benchmark] = max(length, longest.get(job.benchmark, 0))
    for choice in config.problems.benchmarks:
        if choice.name in longest:
            part = (choice.name, choice.split, choice.limit)
            yield f"problems.benchmarks[{choice.name}]", part, longest[choice.name]
    if any(name == model for name, _, _ in trained_runs(config)):
        answers = config.selfdata
        yield "selfdata", (answers.benchmark, answers.split, None), answers.gen_length
    if (policy_seeds(config) or trained_policies(config)) and model == config.grpo.model:
        block = config.solvable
        yield "solvable", (block.benchmark, "train", block.limit), block.gen_length
        for name in config.benchmark_names if config.grpo.validate_every else ():
            yield "grpo.validate_every", (name, "validation", config.grpo.validation_limit), block.gen_length


def _surely_fits(config: StudyConfig, name: str, prompter: Prompter, length: int, positions: int) -> bool:
    """Return whether a pinned benchmark fits by far: its shape's example, and twice its longest prompt.

    Reading all problems takes seconds; a decode looks at each one's own length anyway.
    """
    benchmark = BENCHMARKS[config.benchmark_entry(name)]
    if is_local(config, name) or is_file(config.benchmark_entry(name)):
        return False
    example = len(prompter.encode(SHAPES[benchmark.shape].example))
    return example + 2 * benchmark.prompts.longest + length <= positions


def _lacks_file(config: StudyConfig, name: str) -> bool:
    file = BENCHMARKS[config.benchmark_entry(name)].local_file(config.problems.sources.model_dump())
    return file is not None and not file.exists()


def _load(config: StudyConfig, part: Part) -> list[Problem] | None:
    name, split, limit = part
    sources = config.problems.sources.model_dump()
    try:
        return load_benchmark(config.benchmark_entry(name), split, limit, sources)
    except HubError:
        return None


def _check_lengths(
    prompter: Prompter, problems: list[Problem], length: int, positions: int, model: str
) -> None:
    """Check that every prompt and `length` fit; only one with more bytes than positions is encoded for it."""
    for problem in problems:
        text = prompter.text(problem)
        if len(text.encode("utf-8", "surrogatepass")) + LONGER + length <= positions:
            continue
        tokens = len(prompter.encode(problem))
        if tokens + length > positions:
            raise ConfigError(
                f"{problem.task_id} has {tokens} tokens: with N = {length} they are more than the "
                f"{positions} positions of {model}",
                hint="lower gen_length, or leave that problem out",
            )


def _require_device(device: str) -> None:
    kind, _, number = device.partition(":")
    count = 1
    if kind == "cuda":
        import torch

        count = torch.cuda.device_count()
    if int(number or 0) >= count:
        raise ConfigError(
            f"{device} is asked for, and torch sees {count} GPUs here",
            hint="runtime.device: cpu needs none; `--no-machine` checks a study for another machine",
        )


def _require_space(results: Path, needed: float) -> float:
    """Compare what a study will write with what is free and what of it is there; returns what is free."""
    there = sum(file.stat().st_size for file in results.rglob("*") if file.is_file())
    above = next(folder for folder in (results, *results.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(above).free
    if needed - there > free:
        raise ArtifactError(
            f"{results} will take {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free",
            hint="`xpflow plan` says what takes how much; results/ may be a link to another disk",
        )
    return float(free)
