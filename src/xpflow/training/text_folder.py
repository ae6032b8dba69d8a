"""A run on a MicroText world as files: the checkpoint, the objective's own modules, the log, and scores."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from xpflow.artifacts.io import atomic_write_text, json_line, write_jsonl
from xpflow.masking.schedule import make_schedule
from xpflow.microtext.splits import load
from xpflow.microtext.tokenizer import tokenizer_of
from xpflow.microtext.world import World
from xpflow.microtext.worlds import WORLDS
from xpflow.models.checkpoint import save_checkpoint
from xpflow.training.objectives.infinite_mask import InfiniteMaskSettings
from xpflow.training.objectives.order_expressive import OrderSettings
from xpflow.training.text_measure import (
    TextModel,
    bound_scores,
    order_scores,
    sample_quality,
    step_agreement,
)
from xpflow.training.text_run import TextRecipe, text_prompt, text_trainer
from xpflow.training.trainer import Row
from xpflow.training.weights import save_extra

STEPS = (1, 4, 16)  # of samples
ORDERS = 32  # sentences whose orders are measured


def train_text(world: World, recipe: TextRecipe, out: Path, code: str = "") -> dict[str, Any]:
    """Train to the end of a recipe, resuming from `out`/state.pt, write the run's files, return its scores.

    Writes `checkpoint/` (published layout, and objective.safetensors where the objective has modules of its
    own), `log.jsonl` and `scores.json`.
    """
    out.mkdir(parents=True, exist_ok=True)
    trainer = text_trainer(world, recipe, code=code)

    def report(row: Row) -> None:
        shown = " ".join(f"{key} {value:.4f}" for key, value in row.items() if key != "update")
        print(f"{world.name} update {row['update']}/{recipe.updates} {shown}", file=sys.stderr, flush=True)

    write_jsonl(out / "log.jsonl", trainer.run(report, out / "state.pt"))
    network = trainer.student.model
    save_checkpoint(trainer.model(network.dtype), tokenizer_of(world), out / "checkpoint")
    save_extra(trainer.held.extra(), recipe.objective, recipe.settings, out / "checkpoint")
    found = scores(trainer.student, world, recipe)
    atomic_write_text(out / "scores.json", json_line(found).decode() + "\n")
    return found


def scores(student: Any, world: World, recipe: TextRecipe, rows: int = 1024) -> dict[str, Any]:
    """Return what the oracle says of a trained student: bound, samples, orders or agreement, other domains.

    Bounds are in nats a sentence, on the test split; `seed` of the recipe seeds the draws.
    """
    is_order = recipe.objective == "order_expressive"
    chosen = OrderSettings.model_validate(dict(recipe.settings)) if is_order else OrderSettings()
    schedule = make_schedule(chosen.schedule, chosen.model_extra)
    prompt = text_prompt(world, recipe)

    def bound(language: World) -> dict[str, Any]:
        asked = TextModel(student, language, schedule, prompt)
        return asdict(bound_scores(asked, load(language, "test")[:rows], seed=recipe.seed))

    model, ids_NL = TextModel(student, world, schedule, prompt), load(world, "test")[:rows]
    found: dict[str, Any] = {"world": world.name, "bound": bound(world)}
    found["domains"] = {name: bound(WORLDS[name]) for name in world.domains.values()}
    found["samples"] = {}
    for steps in STEPS:
        quality, nfe = sample_quality(model, 256, steps, recipe.seed)
        found["samples"][str(steps)] = {**asdict(quality), "nfe": nfe}
    if schedule.learned:
        found["orders"] = asdict(order_scores(model, ids_NL[:ORDERS]))
    if recipe.objective == "infinite_mask":
        shape = InfiniteMaskSettings.model_validate(dict(recipe.settings)).shape
        found["one_step"] = asdict(step_agreement(model, shape, seed=recipe.seed))
    return found
