"""Training states: what a sharded model reads of the file that one process wrote, and the other way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from xpflow.errors import ArtifactError
from xpflow.runtime.machine import Machine
from xpflow.study.config.training import FullSettings, TrainingBlock, TrainingRun
from xpflow.training import trainer as trainer_module
from xpflow.training.examples import OwnAnswers
from xpflow.training.state import newest, shards_of
from xpflow.training.trainer import Row, Trainer
from xpflow.training.tuning import tuner
from xpflow.training.weights import Shards

Make = Callable[..., Any]
OUTSIDE = f"{Path(__file__).parents[2]}/fakes/objectives.py"


class Killed(Exception):
    """The run ends here."""


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    """A process group of one: enough for weights to be sharded tensors."""
    store = dist.FileStore(str(tmp_path / "store"), 1)
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def trainer(
    model: Any, data: OwnAnswers, sharded: bool, updates: int = 4, objective: str = "x_prediction"
) -> Trainer:
    block = TrainingBlock(full=FullSettings(updates=updates, batch_size=5), log_every=1)
    with pytest.MonkeyPatch.context() as patch:
        if sharded:  # as several processes would hold the weights
            patch.setattr(trainer_module, "Copies", Shards)
        run = TrainingRun(name="paper", objective=objective)
        return tuner(model, data, block, run, True, 0, machine=Machine(checkpoint_every=1))


def run(found: Trainer, state: Path, end: int = 99) -> tuple[Any, list[Row]]:
    def report(row: Row) -> None:
        if row["update"] == end:
            raise Killed

    rows = found.run(report, state)
    return found.model(torch.float32), rows


@pytest.mark.parametrize(("before", "after"), [(False, True), (True, False), (True, True)])
def test_a_state_can_be_read_sharded_or_whole(
    before: bool, after: bool, make_model: Make, data: OwnAnswers, tmp_path: Path, group: None
) -> None:
    model, state = make_model("llada-micro"), tmp_path / "state"
    whole, rows = run(trainer(model, data, False), tmp_path / "other")
    with pytest.raises(Killed):
        run(trainer(model, data, before), state, end=2)
    assert state.exists() is not before
    assert (newest(shards_of(state)) is not None) is before
    resumed, again = run(trainer(model, data, after), state)
    assert [row["update"] for row in again] == [row["update"] for row in rows]
    numbers, wanted = ({**found[-1], "run": 0} for found in (again, rows))
    assert numbers == pytest.approx(wanted, rel=1e-4)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=1e-4, atol=1e-5)
    assert state.exists() is not after, "the older form goes away"


@pytest.mark.parametrize("name", ["SOFT_MASKS", "MANY_MASKS", "GAUSSIAN_NOISE", "LEARNED_ORDER"])
def test_what_an_outside_objective_uses_and_adds_can_be_sharded(
    name: str, make_model: Make, data: OwnAnswers, tmp_path: Path, group: None
) -> None:
    def weights(found: Trainer) -> dict[str, torch.Tensor]:
        return {**found.model(torch.float32).state_dict(), **found.held.extra()}

    def make(sharded: bool) -> Trainer:
        return trainer(make_model("llada-micro"), data, sharded, 3, f"{OUTSIDE}:{name}")

    whole, resumed = make(False), make(True)
    run(whole, tmp_path / "whole")
    with pytest.raises(Killed):
        run(make(True), tmp_path / "state", end=2)
    run(resumed, tmp_path / "state")
    for key, value in weights(whole).items():
        torch.testing.assert_close(weights(resumed)[key], value, rtol=1e-3, atol=1e-4)


def test_a_sharded_state_of_other_settings_is_refused(
    make_model: Make, data: OwnAnswers, tmp_path: Path, group: None
) -> None:
    model, state = make_model("llada-micro"), tmp_path / "state"
    with pytest.raises(Killed):
        run(trainer(model, data, True), state, end=2)
    for sharded in (True, False):
        with pytest.raises(ArtifactError, match="state of another training"):
            run(trainer(model, data, sharded, updates=5), state)


def test_half_a_save_is_no_state(tmp_path: Path) -> None:
    folder = tmp_path / "state.shards"
    for name in ("update-3", "update-20", ".update-40.tmp"):
        (folder / name).mkdir(parents=True)
    assert newest(folder) is None
    for name in ("update-3", "update-20", ".update-40.tmp"):
        (folder / name / "about.json").write_text("{}")
    assert newest(folder) == folder / "update-20"
