"""The trainings of block `text`, and the couplings that some of them need; imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from xpflow.errors import ConfigError, nearest
from xpflow.study.config.root import StudyConfig
from xpflow.study.config.text import TextRun

WARMUP = 50  # updates, of a recipe that does not say


@dataclass(frozen=True, slots=True, order=True)
class TextJob:
    """One process: a run of block `text` on a world, with one seed."""

    world: str
    run: str
    seed: int


@dataclass(frozen=True, slots=True, order=True)
class CouplingJob:
    """One process: couplings that the model of a run makes, `pairs` of them in `steps` steps."""

    world: str
    run: str
    seed: int
    pairs: int
    steps: int


def text_jobs(config: StudyConfig) -> list[TextJob]:
    """Return all trainings on worlds, in the order worlds, runs, seeds."""
    return [TextJob(world, run.name, seed) for world, run in config.text.pairs for seed in config.study.seeds]


def coupling_jobs(config: StudyConfig) -> list[CouplingJob]:
    """Return all couplings of worlds, each once: several runs may be trained on them."""
    return couplings_for(config, text_jobs(config))


def couplings_for(config: StudyConfig, jobs: Iterable[TextJob]) -> list[CouplingJob]:
    """Return the couplings that trainings need, each once."""
    found = (couplings_of(config, job) for job in jobs)
    return list(dict.fromkeys(one for one in found if one is not None))


def text_run(config: StudyConfig, name: str) -> TextRun:
    """Return a run of the block by name; ConfigError names the nearest one."""
    runs = {run.name: run for run in config.text.runs}
    if name not in runs:
        raise ConfigError(f"study {config.study.name} has no text run {name!r}", hint=nearest(name, runs))
    return runs[name]


def find_text(config: StudyConfig, world: str, run: str, seed: int) -> TextJob:
    """Return one training on a world; raises ConfigError where the study has none."""
    return require_text(config, TextJob(world, run, seed), text_jobs(config))


def require_text(config: StudyConfig, wanted: TextJob, jobs: Sequence[TextJob]) -> TextJob:
    """Return a training that is one of some; raises ConfigError where it is not."""
    world, run, seed = wanted.world, wanted.run, wanted.seed
    worlds = config.text.on(text_run(config, run))
    if wanted not in jobs:
        raise ConfigError(
            f"study {config.study.name} trains no run {run} on {world} with seed {seed}",
            hint=nearest(world, worlds)
            if world not in worlds
            else f"its seeds are {', '.join(map(str, config.study.seeds))}",
        )
    return wanted


def find_couplings(config: StudyConfig, wanted: CouplingJob) -> CouplingJob:
    """Return some couplings of a world; raises ConfigError where no run of the study is trained on them."""
    return require_couplings(config, wanted, coupling_jobs(config))


def require_couplings(config: StudyConfig, wanted: CouplingJob, jobs: Sequence[CouplingJob]) -> CouplingJob:
    """Return couplings that are among some; raises ConfigError where they are not."""
    if wanted not in jobs:
        raise ConfigError(
            f"study {config.study.name} needs no {wanted.pairs} couplings in {wanted.steps} steps"
            f" of run {wanted.run} on {wanted.world}, seed {wanted.seed}",
            hint="`xpflow config show FILE` lists its runs",
        )
    return wanted


def start_of(config: StudyConfig, job: TextJob) -> TextJob | None:
    """Return the training whose weights one starts from; None where it starts from nothing."""
    start = text_run(config, job.run).start
    return None if start is None else TextJob(job.world, start, job.seed)


def couplings_of(config: StudyConfig, job: TextJob) -> CouplingJob | None:
    """Return the couplings that a run is trained on; None where it is trained on the world itself."""
    run = text_run(config, job.run)
    if run.couplings is None or run.start is None:
        return None
    return CouplingJob(job.world, run.start, job.seed, run.couplings.count, run.couplings.steps)


def recipe_of(config: StudyConfig, job: TextJob) -> dict[str, Any]:
    """Return how a run is trained, as fields of `training.text_run.TextRecipe`.

    The settings lack what files give: `coupling` and `noise_from`. What is as a recipe has it is left out.
    """
    block, run = config.text, text_run(config, job.run)
    warmup = block.warmup_updates if run.warmup_updates is None else run.warmup_updates
    other = {"warmup_updates": (warmup, WARMUP), "average": (block.average, 0.0)}
    return {
        **{name: value for name, (value, usual) in other.items() if value != usual},
        "objective": run.objective,
        "settings": block.of(run, job.world),
        "updates": run.updates or block.updates,
        "batch_size": run.batch_size or block.batch_size,
        "learning_rate": run.learning_rate or block.learning_rate,
        "decay_share": block.decay_share if run.decay_share is None else run.decay_share,
        "width": block.width,
        "layers": block.layers,
        "heads": block.heads,
        "seed": job.seed,
    }


def measured_of(config: StudyConfig) -> dict[str, Any]:
    """Return how much is measured of a run, as fields of `training.text_scores.Measuring`."""
    return config.text.model_dump(include={"steps", "samples", "test", "draws", "curve"})
