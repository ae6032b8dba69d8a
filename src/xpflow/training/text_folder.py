"""A run on a MicroText world as files: the checkpoint, the objective's own modules, the log, and scores."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from xpflow.artifacts.io import atomic_write_text, json_line, json_once, read_text, sha256_file, write_jsonl
from xpflow.masking.couplings import Couplings, make_couplings
from xpflow.masking.mask_noise import NoiseShape
from xpflow.masking.schedule import Schedule, make_schedule
from xpflow.microtext.splits import load
from xpflow.microtext.tokenizer import tokenizer_of
from xpflow.microtext.world import World
from xpflow.microtext.worlds import WORLDS
from xpflow.models.checkpoint import save_checkpoint
from xpflow.models.load import load_model
from xpflow.runtime.machine import Machine
from xpflow.training.objective import make_loss
from xpflow.training.objectives import OBJECTIVES
from xpflow.training.objectives.order_expressive import OrderSettings
from xpflow.training.state import remove
from xpflow.training.text_measure import (
    TextModel,
    bound_scores,
    evaluating,
    order_scores,
    sample_quality,
    step_agreement,
)
from xpflow.training.text_run import TextRecipe, text_model, text_prompt, text_trainer
from xpflow.training.trainer import Row, prepared
from xpflow.training.weights import EXTRA, save_extra

CHECKPOINT, RECIPE = "checkpoint", "recipe.json"
STEPS = (1, 4, 16)  # of samples
ORDERS = 32  # sentences whose orders are measured


def train_text(
    world: World, recipe: TextRecipe, out: Path, code: str = "", start: Path | None = None
) -> dict[str, Any]:
    """Train to the end of a recipe, resuming from `out`.state, write the run's files, return its scores.

    Writes `checkpoint/` (published layout, and objective.safetensors where the objective has modules of its
    own), `recipe.json`, `log.jsonl` and `scores.json`.

    Args:
        code: the fingerprint of the stage's code. start: folder of the run whose weights this one starts
        from; they are the reference too, where the objective has one.
    """
    state = out.with_name(out.name + ".state")
    out.mkdir(parents=True, exist_ok=True)
    named = {key: Path(value) for key, value in recipe.settings.items() if isinstance(value, str)}
    files = {key: sha256_file(path) for key, path in named.items() if path.is_file()}
    first = base = None
    if start is not None:
        files["start"] = sha256_file(start / CHECKPOINT / "model.safetensors")
        first, base = (load_model(start / CHECKPOINT)[0] for _ in range(2))
    elif make_loss(recipe.objective, recipe.settings).needs_reference:
        base = text_model(world, recipe)
    trainer = text_trainer(world, recipe, first, base, facts={"code": code, "files": files})

    def report(row: Row) -> None:
        shown = " ".join(f"{key} {value:.4f}" for key, value in row.items() if key != "update")
        print(f"{world.name} update {row['update']}/{recipe.updates} {shown}", file=sys.stderr, flush=True)

    write_jsonl(out / "log.jsonl", trainer.run(report, state))
    network = trainer.student.model
    save_checkpoint(trainer.model(network.dtype), tokenizer_of(world), out / CHECKPOINT)
    save_extra(trainer.held.extra(), recipe.objective, recipe.settings, out / CHECKPOINT)
    found = scores(trainer.student, world, recipe)
    about = {"world": world.name, **asdict(recipe)}
    for name, value in ((RECIPE, about), ("scores.json", found)):
        atomic_write_text(out / name, json_line(value).decode())
    remove(state)
    return found


def load_text(folder: Path) -> tuple[TextModel, TextRecipe]:
    """Return the model of a run's folder, to be asked in words, and its recipe.

    Raises:
        ArtifactError: the folder has no recipe. ModelLoadError: its checkpoint cannot be loaded.
    """
    about = json_once(read_text(folder / RECIPE))
    world, recipe = WORLDS[about.pop("world")], TextRecipe(**about)
    kept = {
        key: value for key, value in recipe.settings.items() if key not in ("coupling", "words", "noise_from")
    }
    loss = make_loss(recipe.objective, kept)
    student, _ = prepared(load_model(folder / CHECKPOINT)[0], loss, Machine(), recipe.seed)
    if len(student.extra):
        student.extra.load_state_dict(load_file(folder / CHECKPOINT / EXTRA))
    return TextModel(student, world, schedule_of(recipe), text_prompt(world, recipe)), recipe


def couple(folder: Path, count: int, steps: int, seed: int = 0) -> Couplings:
    """Make couplings of noise and sentences from the model of a run's folder (ReDi).

    A model without mask noise makes its sentences independently of it: the student's noise is drawn from the
    seeds.
    """
    model, recipe = load_text(folder)
    generator, size = torch.Generator().manual_seed(seed), (count, model.world.length)
    with evaluating(model):
        if "noise" in model.student.extra:
            shape = OBJECTIVES[recipe.objective].checked(recipe.settings).shape
            return make_couplings(model.noisy_denoiser, shape, size, steps, generator)
        return make_couplings(
            lambda ids_BL, open_BL, _: model.denoiser(ids_BL, open_BL),
            NoiseShape(width=1),
            size,
            steps,
            generator,
        )


def schedule_of(recipe: TextRecipe) -> Schedule:
    """Return the schedule that a recipe's model is trained and sampled by: constant, unless it names one."""
    if recipe.objective != "order_expressive":
        return make_schedule("constant")
    chosen = OrderSettings.model_validate(dict(recipe.settings))
    return make_schedule(chosen.schedule, chosen.model_extra)


def scores(student: Any, world: World, recipe: TextRecipe, rows: int = 1024) -> dict[str, Any]:
    """Return what the oracle says of a trained student: bound, samples, orders or agreement, other domains.

    Bounds are in nats a sentence, on the test split; `seed` of the recipe seeds the draws. `forwards`: of
    batches, in an update and in the run.
    """
    schedule = schedule_of(recipe)
    prompt = text_prompt(world, recipe)
    settings = OBJECTIVES[recipe.objective].checked(recipe.settings)
    shape = settings.shape if "noise" in student.extra else None

    def bound(language: World) -> dict[str, Any]:
        asked = TextModel(student, language, schedule, prompt)
        return asdict(bound_scores(asked, load(language, "test")[:rows], seed=recipe.seed, shape=shape))

    model, ids_NL = TextModel(student, world, schedule, prompt), load(world, "test")[:rows]
    found: dict[str, Any] = {"world": world.name, "bound": bound(world)}
    cost = OBJECTIVES[recipe.objective].cost(settings)
    found["forwards"] = {
        "update": cost.trained + cost.free,
        "run": (cost.trained + cost.free) * recipe.updates,
    }
    found["domains"] = {name: bound(WORLDS[name]) for name in world.domains.values()}
    found["samples"] = {}
    for steps in STEPS:
        quality, nfe = sample_quality(model, 256, steps, recipe.seed, shape)
        found["samples"][str(steps)] = {**asdict(quality), "nfe": nfe}
    if schedule.learned:
        found["orders"] = asdict(order_scores(model, ids_NL[:ORDERS]))
    if shape is not None or world.name.startswith("agreement-"):
        found["one_step"] = asdict(step_agreement(model, shape, seed=recipe.seed))
    return found
