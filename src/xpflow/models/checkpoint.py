"""Checkpoint folders in the published layout: config.json and safetensors, whole or in shards.

Loading checks names and shapes before it reads any data: a missing, extra or misshaped tensor is an error
that names it. Nothing is unpickled and no code from the folder is run. Saving writes every file whole; a new
folder appears in one rename, files in an existing folder are replaced one by one with the weights last.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from xpflow.artifacts import atomic_write_text
from xpflow.artifacts.io import explained, give_mode
from xpflow.errors import ModelLoadError
from xpflow.models.architectures import ARCHITECTURES
from xpflow.models.device import memory_of, named_device, needed_bytes, require_room
from xpflow.models.keys import ALIGNMENT
from xpflow.models.moe import SparseMoE, grouped_works
from xpflow.models.stored import INDEX, QUANTISED, WEIGHTS, StoredTensor, find_tensors, read_fields

_VOLATILE = ("transformers_version", "_name_or_path", "auto_map")  # would make equal models differ in bytes


def read_config(folder: str | Path) -> PretrainedConfig:
    """Read `config.json` into the configuration class of its `model_type`."""
    fields = read_fields(folder)
    kind = fields.pop("model_type")
    try:
        config = ARCHITECTURES[kind].config(**fields)
        config.to_dict()
        return config
    except Exception as error:  # transformers looks into fields that we do not read, in its own way
        what = f"{type(error).__name__}: {error}"
        raise ModelLoadError(f"{Path(folder) / 'config.json'}: cannot be read ({what})") from error


def load_checkpoint(
    folder: str | Path, device: str | torch.device = "cpu", dtype: torch.dtype | None = torch.float32
) -> PreTrainedModel:
    """Load a model folder straight to `device` in `dtype` (None keeps the stored one), in eval mode.

    One tensor at a time goes from its file to the device and is cast there, so that the most that is ever
    held is the model and one tensor. Raises ModelLoadError when a file is absent, truncated or unreadable, a
    tensor is missing, extra or misshaped, or the device is absent or too small: all before data is read.
    """
    device = named_device(device)
    model = _empty_model(read_config(folder), Path(folder))
    stored = find_tensors(folder)
    _check(model.state_dict(), stored, Path(folder))
    require_room(needed_bytes(stored.values(), dtype), memory_of(device), dtype)
    if device.type == "cuda" and dtype == torch.bfloat16 and grouped_works(device, dtype):
        group_experts(model, device, dtype)
    for file in sorted({tensor.file for tensor in stored.values()}):
        _fill(model, file, device, dtype)
    model.config.dtype = next(model.parameters()).dtype
    model.train(False)
    return model


def save_checkpoint(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase | None,
    folder: str | Path,
    max_shard_bytes: int | None = None,
    alignment: Mapping[str, Any] | None = None,
) -> None:
    """Write a model (and its tokenizer) in the published layout; equal models give equal bytes.

    With `max_shard_bytes` the weights are cut into shards of at most that size (a larger tensor has a shard
    of its own) plus an index, as on the hub. `alignment` goes into config.json (`xpflow.models.aligned`).
    Other files in an existing folder stay.
    """
    with _staged(Path(folder)) as stage:
        if tokenizer is not None:
            tokenizer.save_pretrained(stage)
        atomic_write_text(stage / "config.json", config_json(model, alignment))
        state = {name: _own(tensor) for name, tensor in model.state_dict().items()}
        _write_weights(state, stage, max_shard_bytes)


def config_json(model: PreTrainedModel, alignment: Mapping[str, Any] | None = None) -> str:
    """Return the text of `config.json`: sorted keys, without fields that depend on the machine."""
    fields: dict[str, Any] = model.config.to_diff_dict()
    kept = {name: value for name, value in fields.items() if name not in _VOLATILE}
    kept["architectures"] = [type(model).__name__]
    kept.pop(ALIGNMENT, None)  # of the weights that these were made from
    kept |= {ALIGNMENT: dict(alignment)} if alignment else {}
    kept["dtype"] = str(model.dtype).removeprefix("torch.")
    return json.dumps(kept, indent=2, sort_keys=True) + "\n"


def _empty_model(config: PretrainedConfig, folder: Path) -> PreTrainedModel:
    try:
        with torch.device("meta"):
            return ARCHITECTURES[config.model_type].build(config)
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise ModelLoadError(f"{folder / 'config.json'}: no model can be built from it ({error})") from error


def _check(expected: dict[str, Tensor], stored: dict[str, StoredTensor], folder: Path) -> None:
    missing = [name for name in expected if name not in stored]
    faults = [f"missing tensor {name}, expected shape {list(expected[name].shape)}" for name in missing]
    for name, found in stored.items():
        if name not in expected:
            faults.append(f"extra tensor {name} of shape {list(found.shape)} in {found.file.name}")
        elif tuple(expected[name].shape) != found.shape:
            shapes = f"expected shape {list(expected[name].shape)}, found {list(found.shape)}"
            faults.append(f"misshaped tensor {name}: {shapes} in {found.file.name}")
        elif found.dtype.startswith(QUANTISED):
            faults.append(f"tensor {name} is stored as {found.dtype} in {found.file.name}: quantised weights")
    if faults:
        more = f"\n  ... and {len(faults) - 10} more" if len(faults) > 10 else ""
        raise ModelLoadError(
            f"{folder}: the weights do not fit config.json:\n  " + "\n  ".join(faults[:10]) + more,
            hint="config.json and the weights must come from the same model and revision",
        )


def _fill(model: PreTrainedModel, file: Path, device: torch.device, dtype: torch.dtype | None) -> None:
    """Put the tensors of one file into the model, one by one."""
    vital, constants = _vital(model), _constants(model)
    try:
        with safe_open(file, framework="pt", device=str(device)) as reader:
            for name in list(reader.keys()):  # the reader is no dict: it cannot be iterated
                stored = reader.get_tensor(name)
                tensor = stored.to(device=device, dtype=dtype)
                _require_sound(tensor, name, file, vital)
                if name in constants:
                    _require_constant(stored, constants[name], name, file)
                place_tensor(model, name, tensor)
    except (OSError, MemoryError, RuntimeError, SafetensorError) as error:  # also: no memory to map it
        raise ModelLoadError(f"{file}: {error or 'cannot be read'}", hint="fetch or make it again") from error


def _vital(model: Any) -> frozenset[str]:
    """Return the weights without which a model says nothing: embedding, head and norms."""
    tables = (model.get_input_embeddings().weight, model.get_output_embeddings().weight)
    return frozenset(
        name
        for name, weight in model.named_parameters()
        if (name.endswith("weight") and weight.ndim == 1) or any(weight is table for table in tables)
    )


def _constants(model: Any) -> dict[str, Tensor]:
    """Return the tensors of a layout that are no weights, by name, and what they must be."""
    return model.constants() if hasattr(model, "constants") else {}


def _require_sound(tensor: Tensor, name: str, file: Path, vital: frozenset[str]) -> None:
    """Raise ModelLoadError where a weight is NaN or infinite, or one of the `vital` is 0 throughout.

    Every answer would be scored as a wrong one.
    """
    if not tensor.numel():
        return
    low, high = torch.stack(tensor.aminmax()).tolist()
    if low == high == 0 and name in vital:
        raise ModelLoadError(
            f"{file}: all {tensor.numel()} values of tensor {name} are 0: the model can say nothing",
            hint="the file is damaged, or was never filled: fetch or make it again",
        )
    if not (math.isfinite(low) and math.isfinite(high)):
        count = int((~torch.isfinite(tensor)).sum())
        raise ModelLoadError(
            f"{file}: tensor {name} has {count} values that are not finite, of {tensor.numel()}",
            hint="the training that made it diverged, or the file is damaged: fetch or make it again",
        )


def _require_constant(tensor: Tensor, expected: Tensor, name: str, file: Path) -> None:
    """Raise ModelLoadError where a tensor that follows from the architecture has other values."""
    narrow = expected.to(tensor.dtype).double()
    if not torch.allclose(tensor.cpu().double(), narrow, rtol=1e-5, atol=0):
        raise ModelLoadError(
            f"{file}: tensor {name} starts {tensor.flatten()[:3].tolist()},"
            f" and this architecture computes with {expected.flatten()[:3].tolist()}",
            hint="these weights are of another model of the family: their answers would be wrong here",
        )


def place_tensor(model: nn.Module, name: str, tensor: Tensor) -> None:
    """Make `tensor` the parameter or buffer of that name; one that has a place already is copied there."""
    owner, _, attribute = name.rpartition(".")
    module = model.get_submodule(owner)
    old = module._parameters.get(attribute)
    if old is not None and not old.is_meta:
        old.data.copy_(tensor)
    elif old is not None:
        module._parameters[attribute] = nn.Parameter(tensor, requires_grad=True)
    else:
        module._buffers[attribute] = tensor


def group_experts(model: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    """Lay all experts of a model out for grouped products; a copied model needs it again."""
    for module in model.modules():
        if isinstance(module, SparseMoE):
            module.group(device, dtype)


def _own(tensor: Tensor) -> Tensor:
    """Return a tensor on the CPU with memory of its own: safetensors refuses views of shared memory."""
    found = tensor.detach().cpu().contiguous()
    return found if found.untyped_storage().nbytes() == found.nbytes else found.clone()


def _write_weights(state: dict[str, Tensor], folder: Path, max_shard_bytes: int | None) -> None:
    if max_shard_bytes is None:
        save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
        return
    shards = _cut(state, max_shard_bytes)
    names = [f"model-{i:05d}-of-{len(shards):05d}.safetensors" for i in range(1, len(shards) + 1)]
    for file_name, shard in zip(names, shards, strict=True):
        save_file({name: state[name] for name in shard}, folder / file_name, metadata={"format": "pt"})
    weight_map = {name: file for file, shard in zip(names, shards, strict=True) for name in shard}
    total = sum(tensor.nbytes for tensor in state.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    atomic_write_text(folder / INDEX, json.dumps(index, indent=2, sort_keys=True) + "\n")


def _cut(state: dict[str, Tensor], max_shard_bytes: int) -> list[list[str]]:
    shards: list[list[str]] = [[]]
    size = 0
    for name, tensor in state.items():
        if shards[-1] and size + tensor.nbytes > max_shard_bytes:
            shards.append([])
            size = 0
        shards[-1].append(name)
        size += tensor.nbytes
    return shards


@contextmanager
def _staged(target: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `target` whose files take their place only when all are written."""
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
        try:
            yield stage
            give_mode(stage, 0o777)
            for file in stage.iterdir():
                give_mode(file)  # safetensors makes files for their owner's eyes only
                _sync(file)
            if target.exists():
                _move_files(stage, target)
            else:
                os.replace(stage, target)
        finally:
            shutil.rmtree(stage, ignore_errors=True)


def _move_files(stage: Path, target: Path) -> None:
    names = {file.name for file in stage.iterdir()}
    stale = {f.name for f in target.iterdir() if f.suffix == ".safetensors" or f.name == INDEX} - names
    for name in sorted(names, key=lambda name: (name == INDEX, name.endswith(".safetensors"), name)):
        os.replace(stage / name, target / name)
    for name in stale:
        if name == INDEX or name.startswith("model"):
            (target / name).unlink()


def _sync(file: Path) -> None:
    with open(file, "rb") as handle:
        os.fsync(handle.fileno())
