"""Training on a packed corpus: any model that fits its rows, under any objective.

A row is a response without a prompt, and every epoch has each row once, in an order of its own. Recipe,
trainer, resuming and log are those of runs on worlds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import PreTrainedModel

from xpflow.corpora.store import Rows
from xpflow.errors import ConfigError
from xpflow.runtime.machine import Machine
from xpflow.training.examples import Example
from xpflow.training.text_run import TextRecipe, trainer_on
from xpflow.training.trainer import Trainer


def corpus_trainer(
    rows: Rows,
    recipe: TextRecipe,
    model: PreTrainedModel,
    base: PreTrainedModel | None = None,
    machine: Machine | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Trainer:
    """Return the trainer of a run on a packed corpus; the recipe's sizes of a model do not count.

    Raises:
        ConfigError: the model has fewer words or places than the rows, or rows are not all of one length.
    """
    vocabulary, places = rows.about["vocabulary"], model.config.max_position_embeddings
    if not rows.about["packed"]:
        raise ConfigError(
            f"{rows.folder} has rows of many lengths", hint="pack the corpus without --alone to train on it"
        )
    if model.config.vocab_size < vocabulary or places < rows.length:
        raise ConfigError(
            f"{rows.folder} has rows of {rows.length} tokens of {vocabulary} words, the model {places} places"
            f" and {model.config.vocab_size} words",
            hint="pack the corpus with the model's tokenizer, to its length",
        )

    def examples(update: int) -> list[Example]:
        return corpus_examples(rows, recipe, update)

    return trainer_on(examples, recipe, model, {"corpus": dict(rows.about), **(facts or {})}, base, machine)


def corpus_examples(rows: Rows, recipe: TextRecipe, update: int) -> list[Example]:
    """Return the rows of an update, all places as the response."""
    return [Example((), row) for row in rows.at(recipe.seed, update, recipe.batch_size)]
