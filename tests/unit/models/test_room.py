"""What is checked before a model is loaded: whole files, the device, its memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from xpflow.errors import ModelLoadError
from xpflow.models.checkpoint import load_checkpoint, save_checkpoint
from xpflow.models.device import GIB, WORKSPACE, Memory, memory_of, needed_bytes, require_room
from xpflow.models.stored import StoredTensor, find_tensors

Make = Callable[..., PreTrainedModel]
GPU = Memory("cuda:0 (Small GPU)", 10 * GIB, 12 * GIB)


@pytest.fixture
def shards(make_model: Make, tmp_path: Path) -> list[Path]:
    """A model in several shards."""
    save_checkpoint(make_model("llada-micro"), None, tmp_path / "model", max_shard_bytes=500_000)
    return sorted((tmp_path / "model").glob("*.safetensors"))


def test_a_truncated_shard_is_named_with_both_sizes(shards: list[Path]) -> None:
    size = shards[1].stat().st_size
    shards[1].write_bytes(shards[1].read_bytes()[:-1])
    expected = rf"{shards[1].name}: truncated shard: {size - 1} bytes, but its header promises {size}"
    with pytest.raises(ModelLoadError, match=expected):
        load_checkpoint(shards[0].parent)
    shards[1].write_bytes(shards[1].read_bytes() + b"12")
    with pytest.raises(ModelLoadError, match="too long shard"):
        load_checkpoint(shards[0].parent)


@pytest.mark.parametrize(
    "text", [b"", b"\x01", b"version https://git-lfs.github.com/spec/v1\n", b"\2\0\0\0\0\0\0\0[1"]
)
def test_a_file_that_is_no_safetensors_file_is_named(shards: list[Path], text: bytes) -> None:
    shards[0].write_bytes(text)
    with pytest.raises(ModelLoadError, match=rf"{shards[0].name}: no safetensors header"):
        find_tensors(shards[0].parent)


def test_needed_bytes_are_the_model_in_its_precision_and_one_tensor_on_its_way() -> None:
    stored = [StoredTensor(Path("f"), (10, 20), 400), StoredTensor(Path("f"), (5,), 10)]
    assert needed_bytes(stored, torch.float32) == 205 * 4 + 400
    assert needed_bytes(stored, torch.bfloat16) == 205 * 2 + 400
    assert needed_bytes(stored, None) == 410 + 400


def test_a_device_that_is_too_small_is_an_error_with_a_way_out() -> None:
    require_room(9 * GIB, GPU, torch.bfloat16)
    require_room(100 * GIB, None, torch.bfloat16)
    with pytest.raises(ModelLoadError, match=r"needs 17\.0 GiB, and 10\.0 of 12\.0 GiB are free") as caught:
        require_room(16 * GIB, GPU, torch.bfloat16)
    assert "a GPU with at least 17 GiB is needed" in caught.value.hint
    with pytest.raises(ModelLoadError, match="bfloat16, which needs half"):
        require_room(16 * GIB, GPU, torch.float32)
    with pytest.raises(ModelLoadError, match="nvidia-smi"):
        require_room(12 * GIB - WORKSPACE, GPU, torch.bfloat16)


def test_room_and_device_are_checked_before_any_data_is_read(
    shards: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for shard in shards:  # headers stay, the data is none
        data = shard.read_bytes()
        shard.write_bytes(data[:8] + data[8:].replace(b"F32", b"X32"))
    small = Memory("main memory", 1000, 2000)
    monkeypatch.setattr("xpflow.models.checkpoint.memory_of", lambda device: small)
    with pytest.raises(ModelLoadError, match="main memory is too small"):
        load_checkpoint(shards[0].parent)
    monkeypatch.undo()
    absent = f"cuda:{torch.cuda.device_count()}"
    with pytest.raises(ModelLoadError, match=f"device {absent} is asked for"):
        load_checkpoint(shards[0].parent, absent)


def test_main_memory_is_found_where_the_kernel_tells_it() -> None:
    memory = memory_of(torch.device("cpu"))
    assert memory is None or 0 < memory.free <= memory.total
