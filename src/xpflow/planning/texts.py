"""The trainings of block `text` as the plan counts them: on the CPU, whatever the study's device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xpflow.microtext import WORLDS
from xpflow.microtext.model import config_of
from xpflow.planning.sizes import ModelSizes, sizes_in
from xpflow.planning.work import Forward, Work
from xpflow.study.config.root import StudyConfig
from xpflow.study.text import TextJob, coupling_jobs, recipe_of, text_jobs
from xpflow.training.objectives import OBJECTIVES

FP32 = 4


@dataclass(frozen=True, slots=True)
class Texts:
    """One run on one world, for each seed; `passes`: what an update takes, in forwards of its batch.

    A forward with its backward counts three times in `passes` and once in `asked`. coupled: forwards of a
    sentence that make the couplings which the run is trained on.
    """

    world: str
    run: str
    seeds: int
    updates: int
    batch_size: int
    places: int
    arch: ModelSizes
    asked: int
    passes: int
    coupled: int = 0
    programs: int = 0

    @property
    def name(self) -> str:
        """Return what the plan calls it."""
        return f"text {self.world} {self.run}"

    @property
    def detail(self) -> str:
        """Return seeds, updates, batch and forwards of an update."""
        return (
            f"{self.seeds} x {self.updates:,} updates of {self.batch_size} x {self.places} tokens,"
            f" {self.asked} forward{'s' if self.asked > 1 else ''} each, on the CPU"
        )

    @property
    def forwards(self) -> float:
        """Return the forwards of all sentences trained on, and of those that are made as couplings."""
        return float(self.seeds * (self.updates * self.asked * self.batch_size + self.coupled))

    def works(self, gpus: int = 1) -> list[Work]:
        """Return the work of all seeds."""
        one = Forward(self.batch_size, self.places, self.places, self.places, FP32)
        trained = one.work(self.arch, float(self.seeds * self.updates * self.passes))
        return [trained, one.work(self.arch, self.seeds * self.coupled / self.batch_size)]


def texts_of(config: StudyConfig) -> list[Texts]:
    """Return the runs of a study by world."""
    jobs = dict.fromkeys((job.world, job.run) for job in text_jobs(config))
    return [_texts(config, world, run) for world, run in jobs]


def text_bytes(config: StudyConfig) -> float:
    """Return the bytes of all checkpoints, and of one state while it is trained (fp32 weights, Adam)."""
    found = texts_of(config)
    kept = sum(FP32 * one.arch.parameters * one.seeds for one in found)
    return kept + max((3.0 * FP32 * one.arch.parameters for one in found), default=0.0)


def _texts(config: StudyConfig, world: str, run: str) -> Texts:
    seeds, block = config.study.seeds, config.text
    recipe, language = recipe_of(config, TextJob(world, run, seeds[0])), WORLDS[world]
    objective = OBJECTIVES[recipe["objective"]]
    cost = objective.cost(objective.checked(recipe["settings"], recipe["objective"]))
    return Texts(
        world,
        run,
        len(seeds),
        recipe["updates"],
        recipe["batch_size"],
        language.length,
        sizes_in(config_of(language, block.width, block.layers, block.heads).to_dict()),
        asked=cost.trained + cost.free,
        passes=3 * cost.trained + cost.free,
        coupled=sum(_coupled(config, world, run, language.length)),
    )


def _coupled(config: StudyConfig, world: str, run: str, places: int) -> Iterator[int]:
    """Yield the forwards behind couplings that a run makes; with kept noise, L are enough for a sentence."""
    for job in coupling_jobs(config):
        if (job.world, job.run, job.seed) == (world, run, config.study.seeds[0]):
            yield job.pairs * min(job.steps, places)
