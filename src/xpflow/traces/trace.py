"""Traces: what happened at every step and response token, enough to replay any state (see replay.py).

Legend: L steps, R open positions of a row (N, and for block-causal models what the last block has beyond).
Arrays are `[L, R]`; positions outside the block of a step carry their t and held token on, with a = 0 and c =
NaN.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xpflow.artifacts.io import atomic_write_bytes, atomic_write_text
from xpflow.decoding.canvas import ModelFacts
from xpflow.decoding.settings import DecodeSettings
from xpflow.decoding.stepper import StepRecord
from xpflow.errors import ArtifactError

Array = NDArray[Any]

# Name -> dtype of the arrays [L, R]; t, c and held are the values after the step (c: the confidence read in
# it).
ARRAYS: dict[str, Any] = {
    "t": np.float32,
    "a": np.float32,
    "c": np.float32,
    "argmax": np.int32,
    "held": np.int32,
    "reedit": np.bool_,
    "commit": np.bool_,
    "open": np.bool_,
}


@dataclass(slots=True)
class Trace:
    """One row's trace. head: settings, prompt, mask id, tokens, nfe, and a task id where the caller sets
    one."""

    head: dict[str, Any]
    block: Array
    step: Array
    arrays: dict[str, Array] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Array:
        if name in ARRAYS:
            return self.arrays[name]
        raise AttributeError(name)

    @property
    def steps(self) -> int:
        """Return L."""
        return len(self.step)


class Tracer:
    """An observer that collects the traces of all rows of a decode."""

    def __init__(self, settings: DecodeSettings, facts: ModelFacts, prompts: list[list[int]]) -> None:
        self.settings, self.facts, self.prompts = settings, facts, prompts
        self._parts: list[list[tuple[int, int, Array, dict[str, Array]]]] = [[] for _ in prompts]

    def __call__(self, record: StepRecord) -> None:
        block = record.info.block
        values = {
            "t": record.t_BM,
            "a": record.a_BM,
            "c": record.c_BM,
            "argmax": record.argmax_BM,
            "held": record.held_BM,
            "reedit": record.reedit_BM,
            "commit": record.commit_BM,
            "open": block.open_BM,
        }
        arrays = {name: _numpy(value).astype(ARRAYS[name]) for name, value in values.items()}
        offsets = _numpy(block.offset_BM)
        for index, row in enumerate(record.info.rows_B.tolist()):
            keep = arrays["open"][index]
            part = {name: value[index][keep] for name, value in arrays.items()}
            self._parts[row].append((block.number, record.info.step, offsets[index][keep], part))

    def finish(self, tokens_BN: Tensor, nfe_B: Tensor) -> list[Trace]:
        """Return one trace per row, in the order of the prompts."""
        return [self._row(row, tokens_BN[row].tolist(), int(nfe_B[row])) for row in range(len(self.prompts))]

    def _row(self, row: int, tokens: list[int], nfe: int) -> Trace:
        head = {
            "settings": self.settings.model_dump(mode="json"),
            "prompt": self.prompts[row],
            "mask_id": self.facts.mask_id,
            "pad_id": self.facts.pad_id,
            "tokens": tokens,
            "nfe": nfe,
        }
        parts = self._parts[row]
        size = max([len(tokens), *(int(places.max()) + 1 for _, _, places, _ in parts)])
        arrays = {name: np.zeros((len(parts), size), dtype) for name, dtype in ARRAYS.items()}
        arrays["c"][:] = np.nan
        arrays["argmax"][:], arrays["held"][:] = -1, self.facts.mask_id
        for number, (_, _, places, part) in enumerate(parts):
            for name, value in part.items():
                if name in ("t", "held") and number:
                    arrays[name][number] = arrays[name][number - 1]
                arrays[name][number, places] = value
        numbers = np.array([(block, step) for block, step, _, _ in parts], np.int32).reshape(-1, 2)
        return Trace(head, numbers[:, 0], numbers[:, 1], arrays)


def save_traces(path: str | Path, traces: Sequence[Trace]) -> None:
    """Write traces to .npz (compact) or .jsonl (one per line), by the path's ending."""
    if Path(path).suffix == ".npz":
        values: dict[str, Array] = {"heads": np.array(json.dumps([t.head for t in traces], sort_keys=True))}
        for number, trace in enumerate(traces):
            values |= {f"{number}/{name}": array for name, array in _flat(trace).items()}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **values)  # type: ignore[arg-type]
        atomic_write_bytes(path, buffer.getvalue())
        return
    atomic_write_text(path, "".join(json.dumps(_as_json(trace), sort_keys=True) + "\n" for trace in traces))


def load_traces(path: str | Path) -> list[Trace]:
    """Read a file that `save_traces` wrote; raises ArtifactError when it is something else."""
    try:
        if Path(path).suffix == ".npz":
            with np.load(path) as file:
                heads = json.loads(str(file["heads"]))
                return [_unflat(head, {n: file[f"{i}/{n}"] for n in _NAMES}) for i, head in enumerate(heads)]
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        return [_from_json(json.loads(line)) for line in lines]
    except (OSError, KeyError, ValueError) as error:
        raise ArtifactError(
            f"not a trace file: {path}", hint="xpflow decode --trace FILE writes one"
        ) from error


_NAMES = ("block", "step", *ARRAYS)


def _flat(trace: Trace) -> dict[str, Array]:
    return {"block": trace.block, "step": trace.step, **trace.arrays}


def _unflat(head: dict[str, Any], values: dict[str, Array]) -> Trace:
    return Trace(head, values["block"], values["step"], {name: values[name] for name in ARRAYS})


def _as_json(trace: Trace) -> dict[str, Any]:
    values: dict[str, Any] = {name: array.tolist() for name, array in _flat(trace).items()}
    values["c"] = [[None if number != number else number for number in row] for row in values["c"]]
    return {"head": trace.head, **values}


def _from_json(row: dict[str, Any]) -> Trace:
    row["c"] = [[np.nan if number is None else number for number in line] for line in row["c"]]
    types = {"block": np.int32, "step": np.int32, **ARRAYS}
    return _unflat(row["head"], {name: np.array(row[name], dtype) for name, dtype in types.items()})


def _numpy(value: Tensor) -> Array:
    value = value.detach().cpu()
    array: Array = (value.float() if value.dtype == torch.bfloat16 else value).numpy()  # numpy has no bf16
    return array
