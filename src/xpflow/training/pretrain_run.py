"""A pre-training run in a folder: training state, log and, at the end, the checkpoint in the published
layout."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from xpflow.artifacts.io import atomic_write_text, read_jsonl
from xpflow.errors import ConfigError, nearest
from xpflow.models.checkpoint import save_checkpoint
from xpflow.runtime.answers import make_grader
from xpflow.study.config.root import StudyConfig
from xpflow.training.card import validation_counts, write_card
from xpflow.training.pretrain import Recipe, Trainer, new_micro_model


def recipe_for(model: str, study: StudyConfig) -> Recipe:
    """Return the recipe of a model from the study's block `pretrain`; raises ConfigError if it has none."""
    settings = study.pretrain.model_dump(exclude={"objective", "decoder"})
    for key in ("steps", "learning_rate", "embedding_learning_rate", "decay_share"):
        if model not in settings[key]:
            raise ConfigError(f"pretrain.{key} has no model {model!r}", hint=nearest(model, settings[key]))
        settings[key] = settings[key][model]
    return Recipe(**settings)


def pretrain_to_folder(model: str, out: Path, study: StudyConfig) -> None:
    """Train `model` to the end of its recipe, resuming from `out/state.pt` when it is there.

    Writes `log.jsonl` (a row per `log_every` steps) and `checkpoint/` (published layout) into `out`.
    """
    torch.set_num_threads(study.runtime.threads or 1)
    out.mkdir(parents=True, exist_ok=True)
    recipe = recipe_for(model, study)
    trainer = Trainer(*new_micro_model(model, recipe.seed), recipe)
    state, log = out / "state.pt", out / "log.jsonl"
    rows: list[dict[str, Any]] = []
    if state.exists():
        trainer.load(state)
        rows = _rows_until(log, trainer.step)
        print(f"{model}: resumed at step {trainer.step} of {recipe.steps}", file=sys.stderr)
    atomic_write_text(log, "".join(json.dumps(row) + "\n" for row in rows))
    with log.open("a", encoding="utf-8") as stream:

        def report(row: dict[str, Any]) -> None:
            stream.write(json.dumps(row) + "\n")
            stream.flush()
            print(
                f"{model} step {row['step']}/{recipe.steps} loss {row['loss']:.4f}",
                file=sys.stderr,
                flush=True,
            )

        trainer.run(report, state)
    finish(model, recipe, trainer, out, study)


def finish(model: str, recipe: Recipe, trainer: Trainer, out: Path, study: StudyConfig) -> None:
    """Write the checkpoint in the published layout and its card, with validation pass rates."""
    folder = out / "checkpoint"
    save_checkpoint(trainer.model, trainer.corpus.tokenizer, folder)
    with make_grader(study) as grader:
        counts = validation_counts(folder, grader, recipe.response_length)
    write_card(folder, model, recipe, read_jsonl(out / "log.jsonl"), counts)


def _rows_until(log: Path, step: int) -> list[dict[str, Any]]:
    """Return the rows of a log up to a step; a kill may have left half a line at its end, or no log."""
    rows = []
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else ():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            break
        rows += [row] if row["step"] <= step else []
    return rows
