"""States of alignment: what a sharded model reads of the file that one process wrote, and the other way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from xpflow.errors import ArtifactError
from xpflow.study.config.training import FullSettings, TrainingBlock
from xpflow.training.align import Aligner, AlignmentData, Variant
from xpflow.training.align_state import newest, shards_of
from xpflow.training.replicas import Shards

Make = Callable[..., Any]
PAPER = Variant(name="paper", kl_weight=0.0)


class Killed(Exception):
    """The run ends here."""


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    """A process group of one: enough for weights to be sharded tensors."""
    store = dist.FileStore(str(tmp_path / "store"), 1)
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def aligner(model: Any, data: AlignmentData, sharded: bool, updates: int = 4) -> Aligner:
    block = TrainingBlock(full=FullSettings(updates=updates, batch_size=5), log_every=1)
    found = Aligner(model, data, block, PAPER, True)
    if sharded:
        found.replicas = Shards(found.measured, None, found.machine)
        found.trained = [p for p in found.measured.parameters() if p.requires_grad]
        found.optimizer = torch.optim.AdamW(found.trained, lr=5e-4, betas=(0.9, 0.95), weight_decay=0.0)
    return found


def run(found: Aligner, state: Path, end: int = 99) -> tuple[Any, list[dict[str, Any]]]:
    def report(row: dict[str, Any]) -> None:
        if row["update"] == end:
            raise Killed

    return found.run(0, report, state, save_every=1)


@pytest.mark.parametrize(("before", "after"), [(False, True), (True, False), (True, True)])
def test_a_state_can_be_read_sharded_or_whole(
    before: bool, after: bool, make_model: Make, data: AlignmentData, tmp_path: Path, group: None
) -> None:
    model, state = make_model("llada-micro"), tmp_path / "state"
    whole, rows = run(aligner(model, data, False), tmp_path / "other")
    with pytest.raises(Killed):
        run(aligner(model, data, before), state, end=2)
    assert state.exists() is not before
    assert (newest(shards_of(state)) is not None) is before
    resumed, again = run(aligner(model, data, after), state)
    assert [row["update"] for row in again] == [row["update"] for row in rows]
    numbers, wanted = ({**found[-1], "variant": 0} for found in (again, rows))
    assert numbers == pytest.approx(wanted, rel=1e-4)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=1e-4, atol=1e-5)
    assert state.exists() is not after, "the older form goes away"


def test_a_sharded_state_of_other_settings_is_refused(
    make_model: Make, data: AlignmentData, tmp_path: Path, group: None
) -> None:
    model, state = make_model("llada-micro"), tmp_path / "state"
    with pytest.raises(Killed):
        run(aligner(model, data, True), state, end=2)
    for sharded in (True, False):
        with pytest.raises(ArtifactError, match="other settings"):
            run(aligner(model, data, sharded, updates=5), state)


def test_half_a_save_is_no_state(tmp_path: Path) -> None:
    folder = tmp_path / "state.shards"
    for name in ("update-3", "update-20", ".update-40.tmp"):
        (folder / name).mkdir(parents=True)
    assert newest(folder) is None
    for name in ("update-3", "update-20", ".update-40.tmp"):
        (folder / name / "about.json").write_text("{}")
    assert newest(folder) == folder / "update-20"
