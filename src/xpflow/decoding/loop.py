"""The loop that every decoder shares: forwards, windows, counting, and dropping rows that are finished.

NFE counts the forwards that really ran with a row in them. A row leaves the batch when its decoder says that
no later step can change it, or when its steps are used up; so the work shrinks with the rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from xpflow.decoding.blocks import Block, Schedule, block_rows, make_block
from xpflow.decoding.canvas import Canvas, ModelFacts
from xpflow.decoding.stepper import Logits, Observer, State, StepInfo, Stepper
from xpflow.decoding.windows import CachedWindow, CanvasWindow, RowCache, Window, new_row_cache


@dataclass(frozen=True, slots=True)
class Run:
    """What stays the same during a decode."""

    model: Any
    facts: ModelFacts
    schedule: Schedule
    stepper: Stepper[Any]
    observers: tuple[Observer, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """Per row of a canvas: forwards run, steps of earlier blocks and of all blocks."""

    nfe_B: Tensor
    before_B: Tensor
    total_B: Tensor


def run_canvas(run: Run, canvas: Canvas) -> tuple[Canvas, Tensor]:
    """Decode a canvas block by block and return it with the NFE of each row."""
    nfe_B, before_B = torch.zeros_like(canvas.start_B), torch.zeros_like(canvas.start_B)
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
        reopen = None if run.stepper.continuous else run.facts.mask_id
        block = make_block(part, run.schedule, number, reopen)
        cache = None if cache is None else cache.of_rows(rows)
        window = open_window(run, part, block, cache)
        tokens_BM, used_B = run_block(run, part, window, block, before_B[rows], total_B[rows])
        places = (rows[:, None], block.positions_BM)
        canvas = replace(canvas, tokens_BS=canvas.tokens_BS.index_put(places, tokens_BM))
        nfe_B[rows] += used_B
        before_B[rows] += block.steps_B
        if _stops_after_eos(run):
            live_B[rows] &= ~(block.open_BM & (tokens_BM == run.facts.eos_id)).any(-1)
    return canvas, nfe_B


def open_window(run: Run, canvas: Canvas, block: Block, cache: RowCache | None) -> Window:
    """Return what a block's forwards see."""
    if cache is not None:
        return CachedWindow(run.model, canvas, block, cache, run.stepper.continuous)
    return CanvasWindow(run.model, run.facts, canvas, block.window, run.stepper.continuous)


def run_block(
    run: Run, canvas: Canvas, window: Window, block: Block, before_B: Tensor, total_B: Tensor
) -> tuple[Tensor, Tensor]:
    """Decode one block of all rows of a canvas; returns its tokens `[B, M]` and the forwards of each row."""
    stepper = run.stepper
    tokens_BM = canvas.tokens_BS.gather(1, block.positions_BM)
    result_BM, nfe_B = tokens_BM.clone(), torch.zeros_like(before_B)
    part = Part(block, window, stepper.cap(block), torch.arange(len(tokens_BM)).to(before_B))
    state, step = stepper.begin(block, tokens_BM), 0
    while True:
        done_B = stepper.finished(state, part.block) | (part.cap_B <= step)
        if bool(done_B.any()):
            leaving, staying = done_B.nonzero()[:, 0], (~done_B).nonzero()[:, 0]
            gone, last = part.take(leaving), state.take(leaving)
            if stepper.extra_forward:
                last = stepper.read_last(last, read_logits(stepper, last, gone), gone.block)
            result_BM[gone.rows_B] = stepper.tokens(last)
            nfe_B[gone.rows_B] = step + int(stepper.extra_forward)
            if not len(staying):
                return result_BM, nfe_B
            state, part = state.take(staying), part.take(staying)
        rows_B = part.rows_B
        logits = read_logits(stepper, state, part)
        seen = bool(run.observers)
        info = StepInfo(step, part.block, canvas.rows_B[rows_B], before_B[rows_B], total_B[rows_B], seen)
        state, record = stepper.step(state, logits, info)
        if record is not None:
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


def read_logits(stepper: Stepper[Any], state: State, part: Part) -> Logits:
    """Run one forward with the state's inputs in place, reading only where the decoder wants it."""
    block = part.block
    index_BK, read_BK = _places(stepper.wanted(state, block))
    positions_BK = block.positions_BM if index_BK is None else block.positions_BM.gather(1, index_BK)
    return Logits(part.window.logits(stepper.inputs(state), positions_BK, block), index_BK, read_BK)


def _places(wanted_BM: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
    """Return the places in the block to read, and which of them the decoder asked for (None: all)."""
    if wanted_BM is None:
        return None, None
    counts, size = wanted_BM.sum(-1).tolist(), wanted_BM.shape[1]
    most = max(counts)
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


def _stops_after_eos(run: Run) -> bool:
    chosen = run.schedule.settings.stop_after_eos
    return bool(run.facts.block_length) if chosen is None else chosen
