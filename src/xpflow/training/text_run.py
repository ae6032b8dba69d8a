"""Training from nothing on a MicroText world: a small bidirectional transformer under any objective.

The model is LLaDA's architecture in small, a sentence is a response without a prompt, and every update has
fresh sentences of the world, by seed and number of the update. Trainer, resuming and log are those of all
runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from transformers import PreTrainedModel

from xpflow.masking.schedule import Schedule, make_schedule
from xpflow.microtext.model import config_of
from xpflow.microtext.splits import VERSION, stream
from xpflow.microtext.tokenizer import special_ids
from xpflow.microtext.world import World
from xpflow.models.untrained import new_model
from xpflow.runtime.machine import Machine
from xpflow.training.examples import Example
from xpflow.training.guard import config_facts
from xpflow.training.objective import Loss, make_loss
from xpflow.training.objectives import OBJECTIVES
from xpflow.training.objectives.order_expressive import OrderSettings
from xpflow.training.student import Student
from xpflow.training.trainer import Course, Trainer, Watch, prepared


@dataclass(frozen=True, slots=True)
class TextRecipe:
    """Settings of a run: objective, sizes of the model, and how long and how fast it is trained (AdamW).

    average: decay of a moving average of the weights, which a run ends with; 0: none (`training.average`).
    begin: the begin-of-text token stands in front of every sentence, as a prompt: the decoders of
    `xpflow.decoding` need one. It costs a place.
    """

    objective: str = "masked"
    settings: Mapping[str, Any] = field(default_factory=dict)
    updates: int = 1200
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.0
    warmup_updates: int = 50
    decay_share: float = 0.0
    grad_clip: float = 1.0
    average: float = 0.0
    width: int = 64
    layers: int = 2
    heads: int = 4
    begin: bool = False
    seed: int = 0
    log_every: int = 50
    save_every: int = 200

    def course(self) -> Course:
        """Return what the trainer reads of it."""
        return Course(
            self.updates,
            self.warmup_updates,
            self.decay_share,
            self.grad_clip,
            log_every=self.log_every,
            save_every=self.save_every,
            average=self.average,
            multiple=1,  # sentences of a world have one length, and so have packed rows
        )


def schedule_of(recipe: TextRecipe) -> Schedule:
    """Return the schedule that a recipe's model is trained and sampled by: constant, unless it names one."""
    if recipe.objective != "order_expressive":
        return make_schedule("constant")
    chosen = OrderSettings.model_validate(dict(recipe.settings))
    return make_schedule(chosen.schedule, chosen.model_extra)


def forwards_of(recipe: TextRecipe) -> int:
    """Return how many forwards of a batch an update takes."""
    entry = OBJECTIVES[recipe.objective]
    cost = entry.cost(entry.checked(recipe.settings))
    return cost.trained + cost.free


def text_model(world: World, recipe: TextRecipe) -> PreTrainedModel:
    """Return a model of a world with weights drawn from the recipe's seed; its ids are the world's."""
    return new_model(config_of(world, recipe.width, recipe.layers, recipe.heads), recipe.seed)


def text_trainer(
    world: World,
    recipe: TextRecipe,
    model: PreTrainedModel | None = None,
    base: PreTrainedModel | None = None,
    machine: Machine | None = None,
    facts: Mapping[str, Any] | None = None,
    watch: Watch | None = None,
) -> Trainer:
    """Return the trainer of a run.

    Args:
        model: the weights that it starts from, changed in place; without it they are random. base: the
        reference of objectives that ask for one. facts: what a saved state must agree with beside the recipe:
        the fingerprint of the code, hashes of files. watch: what a row of the log says beside the loss.
    """
    network = text_model(world, recipe) if model is None else model
    about = {"world": f"{VERSION}/{world.name}", **(facts or {})}

    def rows(update: int) -> list[Example]:
        return text_examples(world, recipe, update)

    return trainer_on(rows, recipe, network, about, base, machine, watch)


def trainer_on(
    rows: Callable[[int], list[Example]],
    recipe: TextRecipe,
    network: PreTrainedModel,
    facts: Mapping[str, Any],
    base: PreTrainedModel | None = None,
    machine: Machine | None = None,
    watch: Watch | None = None,
) -> Trainer:
    """Return the trainer of a model on the examples of each update; arguments as for `text_trainer`."""
    loss = make_loss(recipe.objective, recipe.settings)
    student, held = prepared(network, loss, machine or Machine(), recipe.seed, base=base)
    guarded = {key: value for key, value in asdict(recipe).items() if key != "save_every"}
    return Trainer(
        student,
        loss,
        rows,
        recipe.course(),
        lambda student, loss: [adamw(student, loss, recipe)],
        seed=recipe.seed,
        settings={
            "recipe": guarded,
            "model": config_facts(network),
            **facts,
        },
        held=held,
        watch=watch,
    )


def text_examples(world: World, recipe: TextRecipe, update: int) -> list[Example]:
    """Return the sentences of an update, all places as the response."""
    rows = stream(world, recipe.seed, update, recipe.batch_size).tolist()
    prompt = text_prompt(world, recipe)
    return [Example(prompt, tuple(row)) for row in rows]


def text_prompt(world: World, recipe: TextRecipe) -> tuple[int, ...]:
    """Return what stands in front of a sentence: the begin-of-text token, or nothing."""
    begin = special_ids(world).bos_token_id
    return (begin,) if recipe.begin and begin is not None else ()


def adamw(student: Student, loss: Loss, recipe: TextRecipe) -> torch.optim.Optimizer:
    """Return AdamW, with the rates that the objective's own modules have."""
    rate = recipe.learning_rate
    groups = [{"params": list(student.model.parameters()), "lr": rate}]
    for name, module in student.extra.items():
        groups.append({"params": list(module.parameters()), "lr": loss.rates.get(name, rate)})
    return torch.optim.AdamW(groups, lr=rate, weight_decay=recipe.weight_decay)
