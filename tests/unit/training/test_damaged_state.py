"""A saved state that is damaged is named; it never resumes, and nothing is a traceback."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from xpflow.errors import ArtifactError, XpflowError
from xpflow.models.checkpoint import save_checkpoint
from xpflow.models.untrained import SpecialIds, micro_config, new_model
from xpflow.training.state import Progress, TrainingState, newest, read_state


def state_of(path: Path) -> TrainingState:
    module = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    state = TrainingState({"seed": 0}, module, [optimizer])
    state.save(path, Progress(1))
    return state


def without(key: str) -> Callable[[dict[str, Any]], None]:
    return lambda saved: saved.pop(key)


def put(value: float) -> Callable[[dict[str, Any]], None]:
    return lambda saved: saved["optimizers"][0]["state"][0]["exp_avg"].fill_(value)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        *((without(key), "no whole training state") for key in ("module", "optimizers", "progress")),
        (lambda saved: saved.update(module={"other": torch.ones(2)}), "no whole training state"),
        (lambda saved: saved.update(optimizers=[]), "no whole training state"),
        (lambda saved: saved.update(progress='{"update": 1'), "no whole training state"),
        (lambda saved: saved.update(progress='{"later": 1}'), "no whole training state"),
        (put(float("nan")), "optimizer 0: exp_avg of parameter 0 is not finite"),
        (put(float("inf")), "optimizer 0: exp_avg of parameter 0 is not finite"),
        (lambda saved: saved["module"]["bias"].fill_(float("nan")), "bias is not finite"),
    ],
)
def test_a_damaged_part_is_named(
    tmp_path: Path, damage: Callable[[dict[str, Any]], None], words: str
) -> None:
    path = tmp_path / "state.pt"
    state = state_of(path)
    saved = read_state(path)
    damage(saved)
    torch.save(saved, path)
    before = path.read_bytes()
    with pytest.raises(XpflowError, match=words):
        state.load(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("data", [b"", b"x", b"PK\x03\x04", b"\x80\x02.", b"\0" * 64, b"[1]"])
def test_what_is_no_state_is_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "state.pt"
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match="is no training state"):
        read_state(path)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_a_state_that_was_cut_short_is_named(tmp_path: Path, part: float) -> None:
    path = tmp_path / "state.pt"
    state = state_of(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(ArtifactError, match="is no training state"):
        state.load(path)


def test_other_folders_beside_sharded_states_are_passed_over(tmp_path: Path) -> None:
    for name in ("update-x", "update-", "update-1-old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "about.json").write_text("{}")
    assert newest(tmp_path) is None


def refuse_to_write(path: Path, save: Callable[[], object]) -> None:
    """Save where files may have a few bytes, and see the error and that nothing is left half."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (900, limits[1]))
    try:
        with pytest.raises(ArtifactError, match=f"cannot write {path}: File too large") as caught:
            save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "ulimit -f" in caught.value.hint


def test_a_state_for_which_there_is_no_room_is_said_and_the_old_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    state = state_of(path)
    before = path.read_bytes()
    refuse_to_write(path, lambda: state.save(path, Progress(2)))
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [before]


class _Tokenizer:
    def save_pretrained(self, folder: Path) -> None:
        raise Exception("No space left on device (os error 28)")  # as tokenizers' Rust does


def test_a_checkpoint_for_which_there_is_no_room_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    ids = SpecialIds(mask_token_id=2, eos_token_id=1, pad_token_id=1)
    model = new_model(micro_config("llada-micro", 16, ids), 0)
    refuse_to_write(tmp_path / "m", lambda: save_checkpoint(model, None, tmp_path / "m"))
    with pytest.raises(ArtifactError, match="No space left on device"):
        save_checkpoint(model, _Tokenizer(), tmp_path / "m")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
