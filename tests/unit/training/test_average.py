"""The moving average of the weights: its formula, at a run's end, saved and resumed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from xpflow.corpora.store import Rows, read_rows, write_rows
from xpflow.errors import ArtifactError
from xpflow.models.mdlm import MDLMConfig
from xpflow.models.untrained import new_model
from xpflow.training import trainer as trainer_module
from xpflow.training.corpus_run import corpus_trainer
from xpflow.training.text_run import TextRecipe
from xpflow.training.trainer import Trainer
from xpflow.training.weights import Shards

RECIPE = TextRecipe(
    "order_expressive",
    {"schedule": "learned", "width": 8},
    updates=4,
    batch_size=4,
    warmup_updates=0,
    average=0.4,
    log_every=1,
    save_every=1,
)


class Killed(Exception):
    """The run ends here."""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    folder = tmp_path_factory.mktemp("rows")
    write_rows(folder, [[5, *range(4), 5]] * 8, 6, 6, {"packed": True})
    return read_rows(folder)


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    """A process group of one: enough for weights to be sharded tensors."""
    store = dist.FileStore(str(tmp_path / "store"), 1)
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def trainer(rows: Rows, recipe: TextRecipe = RECIPE, sharded: bool = False) -> Trainer:
    sizes = {"hidden_dim": 16, "cond_dim": 4, "n_blocks": 1, "n_heads": 2, "model_length": 6}
    special = {"mask_token_id": 6, "eos_token_id": 5, "pad_token_id": 5}
    model = new_model(MDLMConfig(vocab_size=7, **sizes, **special), 0)
    with pytest.MonkeyPatch.context() as patch:
        if sharded:  # as several processes would hold the weights
            patch.setattr(trainer_module, "Copies", Shards)
        return corpus_trainer(rows, recipe, model)


def ended(found: Trainer, state: Path | None = None) -> dict[str, Tensor]:
    found.run(lambda row: None, state)
    return {**found.model(torch.float32).state_dict(), **found.held.extra()}


def killed(found: Trainer, state: Path, update: int) -> None:
    def stop(row: dict[str, Any]) -> None:
        if row["update"] == update:
            raise Killed

    with pytest.raises(Killed):
        found.run(stop, state)


def test_what_a_run_ends_with_is_the_average_of_its_weights_heads_too(rows: Rows) -> None:
    plain = trainer(rows, replace(RECIPE, average=0.0))
    names = [name for name, _ in plain.student.named_parameters()]
    expected = {name: value.clone() for name, value in plain.student.named_parameters()}
    for number in range(RECIPE.updates):
        plain.update(number)
        decay = min(0.4, (2 + number) / (11 + number))  # 2/11, 3/12, 4/13, 5/14: the last below 0.4 too
        for name, value in plain.student.named_parameters():
            expected[name] = decay * expected[name] + (1 - decay) * value.detach()
    found = trainer(rows)
    found.run(lambda row: None)
    moved = dict(found.student.named_parameters())
    assert {name.split(".")[0] for name in names} == {"model", "extra"}
    for name in names:
        torch.testing.assert_close(moved[name], expected[name])
    assert not torch.equal(
        moved["model.backbone.vocab_embed.embedding"], plain.student.embed(torch.arange(7))
    )


@pytest.mark.parametrize(("before", "after"), [(False, False), (False, True), (True, False)])
def test_a_resumed_run_has_the_same_average_whoever_wrote_its_state(
    rows: Rows, tmp_path: Path, group: None, before: bool, after: bool
) -> None:
    whole = ended(trainer(rows, sharded=after))
    killed(trainer(rows, sharded=before), tmp_path / "state", 2)
    again = ended(trainer(rows, sharded=after), tmp_path / "state")
    assert whole.keys() == again.keys()
    for name, value in whole.items():
        if before == after:
            assert torch.equal(value, again[name]), name
        else:
            torch.testing.assert_close(value, again[name])


def test_a_state_of_another_decay_is_refused(rows: Rows, tmp_path: Path) -> None:
    killed(trainer(rows, replace(RECIPE, average=0.0)), tmp_path / "state", 2)
    with pytest.raises(ArtifactError, match="average"):
        trainer(rows).run(lambda row: None, tmp_path / "state")
