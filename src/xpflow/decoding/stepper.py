"""What a decoder provides, pure step functions over an explicit state, and the loop that drives them.

NFE counts the forwards that really ran with a row in them. A row leaves the batch when its decoder says that
no later step can change it, or when its steps are used up; so the work shrinks with the rows.

Legend: B rows, M positions of a block, K positions read (K <= M), V vocabulary, E embedding width, D drafts
of a row that one forward looks at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from xpflow.decoding.blocks import Block, Schedule, block_rows, make_block
from xpflow.decoding.canvas import Canvas, ModelFacts
from xpflow.decoding.cost import Cost
from xpflow.decoding.entry import DecodeSettings
from xpflow.decoding.windows import CachedWindow, CanvasWindow, RowCache, Shadow, Window, new_row_cache
from xpflow.errors import DecodingError
from xpflow.noise import RowRandom


@dataclass(frozen=True, slots=True)
class Setup:
    """What a stepper is made from; policy and recorder are for decoders that take a policy."""

    model: Any
    settings: DecodeSettings
    facts: ModelFacts
    schedule: Schedule
    random: RowRandom
    policy: Any = None
    recorder: Any = None


@dataclass(frozen=True)
class State:
    """Base of decoder states: every field is a tensor whose first dimension is the row."""

    def take(self: S, keep_B: Tensor) -> S:
        """Return the state of some rows, given by index."""
        return replace(self, **{field.name: getattr(self, field.name)[keep_B] for field in fields(self)})


S = TypeVar("S", bound=State)


@dataclass(frozen=True, slots=True)
class StepInfo:
    """Where a step happens: its number in the block, the block, and the rows' places in the input."""

    step: int
    block: Block
    rows_B: Tensor
    steps_before_B: Tensor
    steps_total_B: Tensor
    observed: bool = True

    def place(self, index: int) -> str:
        """Return where a row of the step is, as errors say it: "row 3, step 2 of block 1"."""
        return f"row {int(self.rows_B[index])}, step {self.step + 1} of block {self.block.number + 1}"


@dataclass(frozen=True, slots=True)
class Query:
    """What one forward is asked.

    inputs: ids `[B, M]` or embeddings `[B, M, E]` at the block's places; wanted_BM: the places to read (None:
    all). shadow_BM: places that are read where every open place of the block stands once more, as noise, seen
    by nobody else and not seeing its own token. drafts: D; then `inputs` and `wanted_BM` have B * D rows,
    those of a row side by side.
    """

    inputs: Tensor
    wanted_BM: Tensor | None
    shadow_BM: Tensor | None = None
    drafts: int = 1


@dataclass(frozen=True, slots=True)
class Logits:
    """Logits at the places that a stepper asked for, of B rows, or B * D with drafts.

    index_BK: places in the block (None: all, in order); read_BK: which of them were asked for (None: all),
    since rows with fewer are filled up with other places.
    """

    values_BKV: Tensor
    index_BK: Tensor | None
    read_BK: Tensor | None
    drafts: int = 1

    def of_first_draft(self) -> Logits:
        """Return the logits of each row's first draft."""
        if self.drafts == 1:
            return self
        parts = (self.values_BKV, self.index_BK, self.read_BK)
        return Logits(*(part if part is None else part[:: self.drafts] for part in parts))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class StepRecord:
    """What happened in a step, for traces and live views; all `[B, M]`.

    tokens_BM and progress t_BM after the step; the prediction of its forward and the confidence c_BM in it
    (NaN where nothing was read); events: where each of the decoder's events happened; extra: its own columns.
    """

    info: StepInfo
    tokens_BM: Tensor
    t_BM: Tensor
    c_BM: Tensor
    prediction_BM: Tensor
    events: Mapping[str, Tensor]
    extra: Mapping[str, Tensor] = field(default_factory=dict)


Observer = Callable[[StepRecord], None]
Look = Callable[[Logits, Block], Mapping[str, Tensor]]  # what else records hold of a forward


class Stepper(Protocol[S]):
    """One decoder bound to a model and settings. `continuous`: inputs are embeddings `[B, M, E]`, not ids.

    A decoder that looks at more than its block, a shadow or several drafts, has a method that returns a
    `Query`, `query(state, block)`, in place of `inputs` and `wanted`.
    """

    continuous: bool

    def begin(self, block: Block, canvas: Canvas) -> S:
        """Return the state at the start of a block of a canvas."""

    def inputs(self, state: S) -> Tensor:
        """Return what the model sees at the block's positions: ids `[B, M]` or embeddings `[B, M, E]`."""

    def wanted(self, state: S, block: Block) -> Tensor | None:
        """Return a bool mask of the positions whose logits the next step needs; None: all."""

    def step(self, state: S, logits: Logits, info: StepInfo) -> tuple[S, StepRecord | None]:
        """Do one step; the record may be left out where nobody observes."""

    def cap(self, block: Block) -> Tensor:
        """Return the most steps that each row may take in this block, `[B]`."""

    def finished(self, state: S, block: Block) -> Tensor:
        """Return the rows, bool `[B]`, that no later step can change."""

    def tokens(self, state: S) -> Tensor:
        """Return the token ids of the block."""


@dataclass(frozen=True, slots=True)
class Run:
    """What stays the same during a decode."""

    model: Any
    facts: ModelFacts
    schedule: Schedule
    stepper: Stepper[Any]
    observers: tuple[Observer, ...] = ()
    look: Look | None = None


def run_canvas(run: Run, canvas: Canvas) -> tuple[Tensor, Cost]:
    """Decode a canvas block by block; returns the response tokens `[B, N]` and what each row cost.

    Where a row stops after a block with an EOS, everything behind its first EOS is EOS.
    """
    cost, before_B = Cost.none(canvas.start_B), torch.zeros_like(canvas.start_B)
    total_B, blocks = _total_steps(run, canvas)
    live_B = torch.ones_like(canvas.start_B, dtype=torch.bool)
    cache = new_row_cache(run.model, run.facts, run.schedule.settings, canvas)
    for number in range(blocks):
        here_B = torch.zeros_like(live_B)
        here_B[block_rows(canvas, run.schedule, number)] = True
        rows = (here_B & live_B).nonzero()[:, 0]
        if not len(rows):
            break
        part = canvas.take(rows)
        reopen = None if run.stepper.continuous else run.facts.noise
        block = make_block(part, run.schedule, number, reopen)
        cache = None if cache is None else cache.of_rows(rows)
        window = open_window(run, part, block, cache)
        tokens_BM, spent = run_block(run, part, window, block, before_B[rows], total_B[rows])
        places = (rows[:, None], block.positions_BM)
        canvas = replace(canvas, tokens_BS=canvas.tokens_BS.index_put(places, tokens_BM))
        cost.add(rows, spent)
        before_B[rows] += block.steps_B
        if run.schedule.stops_after_eos:
            live_B[rows] &= ~(block.open_BM & (tokens_BM == run.facts.eos_id)).any(-1)
    tokens_BN = canvas.response()
    if run.schedule.stops_after_eos:
        behind_BN = (tokens_BN == run.facts.eos_id).cumsum(-1) > 0
        tokens_BN = tokens_BN.masked_fill(behind_BN, run.facts.eos_id)
    return tokens_BN, cost


def open_window(run: Run, canvas: Canvas, block: Block, cache: RowCache | None) -> Window:
    """Return what a block's forwards see."""
    if cache is not None:
        return CachedWindow(run.model, canvas, block, cache, run.stepper.continuous)
    return CanvasWindow(run.model, run.facts, canvas, block.window, run.stepper.continuous)


def run_block(
    run: Run, canvas: Canvas, window: Window, block: Block, before_B: Tensor, total_B: Tensor
) -> tuple[Tensor, Cost]:
    """Decode one block of all rows of a canvas; returns its tokens `[B, M]` and what each row cost."""
    stepper = run.stepper
    result_BM, cost = canvas.tokens_at(block.positions_BM), Cost.none(before_B)
    part = Part(block, window, stepper.cap(block), torch.arange(len(result_BM)).to(before_B))
    state, step = stepper.begin(block, canvas), 0
    while True:
        done_B = stepper.finished(state, part.block) | (part.cap_B <= step)
        if bool(done_B.any()):
            leaving, staying = done_B.nonzero()[:, 0], (~done_B).nonzero()[:, 0]
            result_BM[part.rows_B[leaving]] = stepper.tokens(state.take(leaving))
            if not len(staying):
                return result_BM, cost
            state, part = state.take(staying), part.take(staying)
        rows_B = part.rows_B
        seen = bool(run.observers)
        info = StepInfo(step, part.block, canvas.rows_B[rows_B], before_B[rows_B], total_B[rows_B], seen)
        logits, spent = read_logits(stepper, state, part)
        cost.add(rows_B, spent)
        check_logits(logits, info)
        found = run.look(logits.of_first_draft(), part.block) if run.look else {}
        state, record = stepper.step(state, logits, info)
        if record is not None:
            record = replace(record, extra={**record.extra, **found}) if found else record
            for observer in run.observers:
                observer(record)
        step += 1


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of a block that are still decoded: rows_B are their places in the batch, cap_B their steps."""

    block: Block
    window: Window
    cap_B: Tensor
    rows_B: Tensor

    def take(self, keep_B: Tensor) -> Part:
        """Return the part of some rows, given by index."""
        return Part(
            self.block.take(keep_B), self.window.take(keep_B), self.cap_B[keep_B], self.rows_B[keep_B]
        )


def read_logits(stepper: Stepper[Any], state: State, part: Part) -> tuple[Logits, Cost]:
    """Run one forward with the state's inputs in place, reading only where the decoder wants it."""
    block, window = part.block, part.window
    ask = getattr(stepper, "query", None)
    query: Query = ask(state, block) if ask else Query(stepper.inputs(state), stepper.wanted(state, block))
    ones_B = torch.ones_like(part.rows_B)
    if query.drafts > 1:
        again = torch.arange(len(ones_B), device=ones_B.device).repeat_interleave(query.drafts)
        block, window = block.take(again), window.take(again)
    index_BK, read_BK = _places(query.wanted_BM)
    every_BK = torch.arange(block.positions_BM.shape[1], device=ones_B.device).expand_as(block.positions_BM)
    places_BK = every_BK if index_BK is None else index_BK
    shadow = None if query.shadow_BM is None else Shadow(query.shadow_BM.gather(1, places_BK), places_BK)
    fed_B = window.fed(block) + (0 if shadow is None else block.open_BM.sum(-1))
    cost = Cost(ones_B, ones_B * query.drafts, fed_B.view(-1, query.drafts).sum(-1))
    values_BKV = window.logits(query.inputs, block.positions_BM.gather(1, places_BK), block, shadow)
    return Logits(values_BKV, index_BK, read_BK, query.drafts), cost


def check_logits(logits: Logits, info: StepInfo) -> None:
    """Raise DecodingError that names row, step and position where a model gave a logit that is no number.

    Also where it prefers no token at any position: its answers would be empty or noise. Two passes that keep
    a number a position: NaN passes through minimum and maximum. (`aminmax` along a dimension is one pass, and
    takes several times as long on a CPU.)
    """
    if not logits.values_BKV.numel():
        return
    low_BK, high_BK = logits.values_BKV.amin(-1), logits.values_BKV.amax(-1)
    low, high, spread = torch.stack((low_BK.min(), high_BK.max(), (high_BK - low_BK).max())).tolist()
    if math.isfinite(low) and math.isfinite(high):
        if spread == 0 and logits.values_BKV.shape[-1] > 1:
            raise DecodingError(
                f"{info.place(0)}: the model gives all tokens the same logit, at every position",
                hint="its embedding, final norm or head hold one value alone: fetch or make them again",
            )
        return
    bad_BK = ~logits.values_BKV.isfinite().all(-1)
    index, place = map(int, bad_BK.nonzero()[0])
    if logits.index_BK is not None:
        place = int(logits.index_BK[index, place])
    index //= logits.drafts
    position = int(info.block.offset_BM[index, place])
    raise DecodingError(
        f"{info.place(index)}: the model's logits at response position {position} are not finite",
        hint="its weights hold NaN or inf, or its precision overflows: try float32 (runtime.dtype)",
    )


def _places(wanted_BM: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
    """Return the places in the block to read, and which of them the decoder asked for (None: all)."""
    if wanted_BM is None:
        return None, None
    counts, size = wanted_BM.sum(-1).tolist(), wanted_BM.shape[1]
    most = max(1, *counts)  # a forward reads something
    if min(counts) == most:
        return (None if most == size else wanted_BM.nonzero()[:, 1].view(-1, most)), None
    index_BK = wanted_BM.byte().argsort(dim=-1, descending=True, stable=True)[:, :most]
    return index_BK, wanted_BM.gather(1, index_BK)


def _total_steps(run: Run, canvas: Canvas) -> tuple[Tensor, int]:
    """Return each row's steps over all blocks, and the largest number of blocks."""
    total_B, number = torch.zeros_like(canvas.start_B), 0
    while len(rows := block_rows(canvas, run.schedule, number)):
        total_B[rows] += make_block(canvas.take(rows), run.schedule, number).steps_B
        number += 1
    return total_B, number
