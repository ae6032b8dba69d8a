"""Traces: what happened at every step and response token, for any decoder, and their files.

Legend: L steps, R open positions of a row (N, and for block-causal models what the last block has beyond).
Arrays are `[L, R]`: the base columns below, one bool array per event of the decoder, and the decoder's own
columns; where they were asked for, the best tokens of every forward too, `[L, R, C]`. Positions outside the
block of a step keep their token and t; nothing else happens there.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xpflow.artifacts.io import atomic_write_bytes, atomic_write_text
from xpflow.decoding.canvas import Canvas, ModelFacts
from xpflow.decoding.entry import DecodeSettings, Event
from xpflow.decoding.stepper import StepRecord
from xpflow.errors import ArtifactError
from xpflow.noise import NO_TOKEN

Array = NDArray[Any]
Columns = dict[str, Array]

# Name -> dtype. tokens and t (progress) are the values after the step; c is the confidence read in it, and
# prediction the token of its forward.
BASE: dict[str, Any] = {
    "tokens": np.int32,
    "t": np.float32,
    "c": np.float32,
    "prediction": np.int32,
    "open": np.bool_,
}
CARRIED = ("tokens", "t")
NUMBERS = ("block", "step")


@dataclass(slots=True)
class Trace:
    """One row's trace; a column is an attribute too, as `trace.t`.

    head: settings, prompt, start (the ids before the first step), noise_ids, tokens, nfe, events, dtypes, and
    a task id or texts where the caller sets them. block, step: `[L]`, where each step happened.
    """

    head: dict[str, Any]
    block: Array
    step: Array
    arrays: Columns

    def __getattr__(self, name: str) -> Array:
        if not name.startswith("_") and name in self.arrays:
            return self.arrays[name]
        raise AttributeError(name)

    @property
    def steps(self) -> int:
        """Return L."""
        return len(self.step)

    @property
    def events(self) -> tuple[Event, ...]:
        """Return the events of the decoder, in their order within a step."""
        return tuple(Event(**event) for event in self.head["events"])

    def is_open(self, tokens: Array) -> Array:
        """Return where tokens are noise."""
        return np.isin(tokens, [NO_TOKEN, *self.head["noise_ids"]])


@dataclass(frozen=True, slots=True)
class Part:
    """What one step did to the open positions of one row; `places` are theirs in the response."""

    row: int
    block: int
    step: int
    places: Array
    values: Columns


def parts_of(record: StepRecord) -> Iterator[Part]:
    """Yield the part of every row in a record."""
    block = record.info.block
    base = (record.tokens_BM, record.t_BM, record.c_BM, record.prediction_BM, block.open_BM)
    columns = {
        name: _numpy(value).astype(dtype) for (name, dtype), value in zip(BASE.items(), base, strict=True)
    }
    columns |= {name: _numpy(value).astype(np.bool_) for name, value in record.events.items()}
    columns |= {name: _own(_numpy(value)) for name, value in record.extra.items()}
    offsets = _numpy(block.offset_BM)
    for index, row in enumerate(record.info.rows_B.tolist()):
        keep = columns["open"][index]
        values = {name: value[index][keep] for name, value in columns.items()}
        yield Part(row, block.number, record.info.step, offsets[index][keep], values)


def carried(before: Columns, part: Part) -> Columns:
    """Return all columns `[R]` after a step, from `tokens` and `t` before it; places behind R are dropped."""
    inside = part.places < len(before["tokens"])
    after = {}
    for name, value in part.values.items():
        shape = (len(before["t"]), *value.shape[1:])
        start = before[name] if name in CARRIED else np.full(shape, _nothing(name), value.dtype)
        after[name] = start.astype(value.dtype, copy=True)
        after[name][part.places[inside]] = value[inside]
    return after


def at_start(tokens: Sequence[int]) -> Columns:
    """Return tokens and t before the first step."""
    return {"tokens": np.array(tokens, np.int32), "t": np.zeros(len(tokens), np.float32)}


class Tracer:
    """An observer that collects the traces of all rows of a decode."""

    def __init__(
        self,
        settings: DecodeSettings,
        facts: ModelFacts,
        events: Sequence[Event],
        prompts: Sequence[Sequence[int]],
        stops: bool = False,
    ) -> None:
        self.settings, self.facts, self.events, self.prompts = settings, facts, events, prompts
        self.stops = stops
        self._parts: list[list[Part]] = [[] for _ in prompts]
        self._starts: list[list[int]] = [[] for _ in prompts]

    def begin(self, canvas: Canvas) -> None:
        """Note what the open positions of a canvas start with."""
        ends = zip(canvas.rows_B.tolist(), canvas.start_B.tolist(), canvas.end_B.tolist(), strict=True)
        for index, (row, start, end) in enumerate(ends):
            self._starts[row] = canvas.tokens_BS[index, start:end].tolist()

    def __call__(self, record: StepRecord) -> None:
        for part in parts_of(record):
            self._parts[part.row].append(part)

    def finish(self, tokens_BN: Tensor, nfe_B: Tensor) -> list[Trace]:
        """Return one trace per row, in the order of the prompts."""
        return [self._row(row, tokens_BN[row].tolist(), int(nfe_B[row])) for row in range(len(self.prompts))]

    def _row(self, row: int, tokens: list[int], nfe: int) -> Trace:
        now, lines = at_start(self._starts[row]), list[Columns]()
        for part in self._parts[row]:
            lines.append(now := carried(now, part))
        arrays = {name: np.stack([line[name] for line in lines]) for name in (lines[0] if lines else ())}
        head = {
            "settings": self.settings.model_dump(mode="json"),
            "prompt": list(self.prompts[row]),
            "start": self._starts[row],
            "noise_ids": list(self.facts.noise.ids),
            "eos_id": self.facts.eos_id,
            "stops_after_eos": self.stops,
            "tokens": tokens,
            "nfe": nfe,
            "events": [asdict(event) for event in self.events],
            "dtypes": {name: array.dtype.name for name, array in arrays.items()},
        }
        numbers = np.array([(part.block, part.step) for part in self._parts[row]], np.int32).reshape(-1, 2)
        return Trace(head, numbers[:, 0], numbers[:, 1], arrays)


def save_traces(path: str | Path, traces: Sequence[Trace]) -> None:
    """Write traces to .npz (compact) or .jsonl (one per line), by the path's ending."""
    if Path(path).suffix == ".npz":
        values: Columns = {"heads": np.array(json.dumps([t.head for t in traces], sort_keys=True))}
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
                return [
                    _unflat(head, {n: file[f"{i}/{n}"] for n in (*NUMBERS, *head["dtypes"])})
                    for i, head in enumerate(heads)
                ]
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        return [_from_json(json.loads(line)) for line in lines]
    except (
        *(OSError, EOFError, zipfile.BadZipFile, zlib.error),
        *(AttributeError, LookupError, TypeError, ValueError, RecursionError, OverflowError),
    ) as error:
        raise ArtifactError(
            f"not a trace file: {path}", hint="xpflow decode --trace FILE writes one"
        ) from error


def _flat(trace: Trace) -> Columns:
    return {"block": trace.block, "step": trace.step, **trace.arrays}


def _unflat(head: dict[str, Any], values: Columns) -> Trace:
    return Trace(head, values["block"], values["step"], {name: values[name] for name in head["dtypes"]})


def _as_json(trace: Trace) -> dict[str, Any]:
    values: dict[str, Any] = {name: array.tolist() for name, array in _flat(trace).items()}
    for name, array in trace.arrays.items():
        if array.dtype.kind == "f":
            values[name] = [
                [None if number != number else number for number in line] for line in values[name]
            ]
    return {"head": trace.head, **values}


def _from_json(row: dict[str, Any]) -> Trace:
    types = {**dict.fromkeys(NUMBERS, "int32"), **row["head"]["dtypes"]}
    values = {}
    for name, dtype in types.items():
        lines = row[name]
        if np.dtype(dtype).kind == "f":
            lines = [[np.nan if number is None else number for number in line] for line in lines]
        values[name] = np.array(lines, dtype)
    return _unflat(row["head"], values)


def _nothing(name: str) -> float:
    return {"c": np.nan, "prediction": NO_TOKEN, "candidates": NO_TOKEN}.get(name, 0)


def _own(array: Array) -> Array:
    if array.dtype.kind in "biu":
        return array
    return array.astype(np.float32)


def _numpy(value: Tensor) -> Array:
    value = value.detach().cpu()
    array: Array = (value.float() if value.dtype == torch.bfloat16 else value).numpy()  # numpy has no bf16
    return array
