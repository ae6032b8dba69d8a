"""A run on a MicroText world as files: the checkpoint, the objective's own modules, the log, and scores."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import torch

from xpflow.artifacts.io import atomic_write_text, json_line, sha256_file, write_jsonl
from xpflow.errors import ConfigError
from xpflow.masking.couplings import Couplings, make_couplings
from xpflow.masking.mask_noise import NoiseShape
from xpflow.microtext.tokenizer import tokenizer_of
from xpflow.microtext.world import World
from xpflow.microtext.worlds import WORLDS
from xpflow.models.aligned import CAUSAL
from xpflow.models.checkpoint import save_checkpoint
from xpflow.models.extra import save_extra
from xpflow.models.load import load_model
from xpflow.runtime.machine import Machine
from xpflow.training.masked_model import evaluating
from xpflow.training.objective import make_loss
from xpflow.training.objectives import OBJECTIVES
from xpflow.training.run_folder import CHECKPOINT, RECIPE, load_modules, read_recipe
from xpflow.training.state import remove
from xpflow.training.text_measure import TextModel
from xpflow.training.text_oracle import curve_guard, curve_watch, scores
from xpflow.training.text_run import TextRecipe, schedule_of, text_model, text_prompt, text_trainer
from xpflow.training.text_scores import SCORES, Measuring, TextScores
from xpflow.training.trainer import Row, prepared


def train_text(
    world: World,
    recipe: TextRecipe,
    out: Path,
    code: str = "",
    start: Path | None = None,
    measuring: Measuring = Measuring(),  # noqa: B008 (frozen)
) -> TextScores:
    """Train to the end of a recipe, resuming from `out`.state, write the run's files, return its scores.

    Writes `checkpoint/` (published layout, and objective.safetensors where the objective has modules of its
    own), `recipe.json`, `log.jsonl` and `scores.json`.

    Args:
        code: the fingerprint of the stage's code. start: folder of the run whose weights this one starts
        from; they are the reference too, where the objective has one. measuring: how much is measured.
    """
    state = out.with_name(out.name + ".state")
    out.mkdir(parents=True, exist_ok=True)
    named = {key: Path(value) for key, value in recipe.settings.items() if isinstance(value, str)}
    files = {key: sha256_file(path) for key, path in named.items() if path.is_file()}
    first = base = None
    if start is not None:
        files["start"] = sha256_file(start / CHECKPOINT / "model.safetensors")
        opened = [load_model(start / CHECKPOINT, causal_too=True) for _ in range(2)]
        first, base = (model for model, _ in opened)
        if opened[0][1].get_vocab() != tokenizer_of(world).get_vocab():
            raise ConfigError(
                f"{start} has a model of other words than {world.name}'s",
                hint="start from a run on this world, or on another domain of it",
            )
    elif make_loss(recipe.objective, recipe.settings).needs_reference:
        base = text_model(world, recipe)
    facts = {"code": code, "files": files, "curve": curve_guard(recipe, measuring)}
    watch = curve_watch(world, recipe, measuring)
    trainer = text_trainer(world, recipe, first, base, facts=facts, watch=watch)

    def report(row: Row) -> None:
        shown = " ".join(f"{key} {value:.4f}" for key, value in row.items() if key != "update")
        print(f"{world.name} update {row['update']}/{recipe.updates} {shown}", file=sys.stderr, flush=True)

    rows = trainer.run(report, state)
    write_jsonl(out / "log.jsonl", rows)
    network = trainer.student.model
    # A causal model would be read as a masked one, which it looks like: its config.json says what it is.
    said = {"objective": CAUSAL, "updates": recipe.updates} if recipe.objective == CAUSAL else None
    save_checkpoint(trainer.model(network.dtype), tokenizer_of(world), out / CHECKPOINT, alignment=said)
    save_extra(trainer.held.extra(), recipe.objective, recipe.settings, out / CHECKPOINT)
    about = {"world": world.name, **asdict(recipe)}
    atomic_write_text(out / RECIPE, json_line(about).decode())
    found = scores(trainer.student, world, recipe, measuring, rows)
    found.save(out / SCORES)
    remove(state)
    return found


def load_text(folder: Path) -> tuple[TextModel, TextRecipe]:
    """Return the model of a run's folder, to be asked in words, and its recipe.

    Raises:
        ArtifactError: the folder has no recipe of such a run. ModelLoadError: its checkpoint cannot be read.
        ConfigError: the model is a causal one, and has no masks to be asked at.
    """
    recipe, about = read_recipe(folder)
    world = WORLDS[about["world"]]
    if recipe.objective == CAUSAL:
        raise ConfigError(f"{folder} holds a causal model, which reads no masks", hint="name a masked one")
    kept = {
        key: value for key, value in recipe.settings.items() if key not in ("coupling", "words", "noise_from")
    }
    loss = make_loss(recipe.objective, kept)
    student, _ = prepared(load_model(folder / CHECKPOINT)[0], loss, Machine(), recipe.seed)
    load_modules(student, folder)
    return TextModel(student, world, schedule_of(recipe), text_prompt(world, recipe)), recipe


def couple(folder: Path, count: int, steps: int, seed: int = 0) -> Couplings:
    """Make couplings of noise and sentences from the model of a run's folder (ReDi).

    A model without mask noise makes its sentences independently of it: the student's noise is drawn from the
    seeds.
    """
    model, recipe = load_text(folder)
    generator, size = torch.Generator().manual_seed(seed), (count, model.world.length)
    with evaluating(model.student):
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
