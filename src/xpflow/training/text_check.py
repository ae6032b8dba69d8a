"""Block `text` by its plug-ins' own rules, before anything runs: every run must take its first update."""

from __future__ import annotations

from typing import Any

import torch

from xpflow.errors import ConfigError
from xpflow.microtext.world import World
from xpflow.microtext.worlds import WORLDS
from xpflow.study.check import told
from xpflow.study.config.root import StudyConfig
from xpflow.study.config.text import TextRun
from xpflow.study.text import TextJob, recipe_of
from xpflow.training.objectives import OBJECTIVES
from xpflow.training.text_run import TextRecipe, text_model, text_trainer

SMALL = {
    "updates": 1,
    "batch_size": 2,
    "width": 8,
    "layers": 1,
    "heads": 1,
}  # of a trial


def check_texts(config: StudyConfig, source: str) -> int:
    """Raise ConfigError that names the run or world that could not be trained; return how many there are.

    A small model of the world loses a batch of two under the run's objective and settings. What files give is
    left out: couplings and noise are those of a run that is not there yet.
    """
    for world in config.text.worlds:
        with told(f"{source}: text.worlds[{world}]"):
            _check_domains(WORLDS[world], world)
    for world, run in config.text.pairs:
        with told(f"{source}: text.runs[{run.name}], {world}"):
            _check_run(config, WORLDS[world], run)
    for index, claim in enumerate(config.text.preregistration):
        if claim.domain is not None and claim.domain not in WORLDS[claim.world].domains.values():
            raise ConfigError(
                f"{source}: text.preregistration[{index}]: {claim.domain!r} is no domain of {claim.world!r}",
                hint=f"its domains: {', '.join(WORLDS[claim.world].domains.values()) or 'none'}",
            )
    return len(config.text.pairs)


def _check_domains(world: World, name: str) -> None:
    """Domains lie in the world's own file: the code behind a run is that of its world."""
    own = WORLDS.place(name)
    for domain in world.domains.values():
        place = WORLDS.place(domain)
        if (place.module, place.file) != (own.module, own.file):
            raise ConfigError(f"its domain {domain!r} lies in another file", hint="define both in one")


def _check_run(config: StudyConfig, world: World, run: TextRun) -> None:
    recipe = recipe_of(config, TextJob(world.name, run.name, config.study.seeds[0]))
    given: dict[str, Any] = {"coupling": "FILE"} if run.couplings else {}
    given |= {"noise_from": "FILE"} if run.continue_noise else {}
    OBJECTIVES[run.objective].checked({**recipe["settings"], **given}, run.objective)
    small = TextRecipe(**{**recipe, **SMALL})
    base = text_model(world, small)
    with torch.random.fork_rng(devices=[]):
        try:
            text_trainer(world, small, base=base).update(0)
        except IndexError as error:  # ids that the model has no row for
            raise ConfigError(
                f"its settings do not fit the world: {error}", hint=f"it has {world.size} words"
            ) from error
