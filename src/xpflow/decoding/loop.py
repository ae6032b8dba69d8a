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
from xpflow.decoding.forward import padding_mask, response_logits
from xpflow.decoding.state import Canvas, ModelFacts
from xpflow.decoding.stepper import Logits, Observer, State, StepInfo, Stepper


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
    for number in range(blocks):
        here_B = torch.zeros_like(live_B)
        here_B[block_rows(canvas, run.schedule, number)] = True
        rows = (here_B & live_B).nonzero()[:, 0]
        if not len(rows):
            break
        part = canvas.take(rows)
        reopen = None if run.stepper.continuous else run.facts.mask_id
        block = make_block(part, run.schedule, number, reopen)
        tokens_BM, used_B = run_block(run, part, block, before_B[rows], total_B[rows])
        places = (rows[:, None], block.positions_BM)
        canvas = replace(canvas, tokens_BS=canvas.tokens_BS.index_put(places, tokens_BM))
        nfe_B[rows] += used_B
        before_B[rows] += block.steps_B
        if _stops_after_eos(run):
            live_B[rows] &= ~(block.open_BM & (tokens_BM == run.facts.eos_id)).any(-1)
    return canvas, nfe_B


def run_block(
    run: Run, canvas: Canvas, block: Block, before_B: Tensor, total_B: Tensor
) -> tuple[Tensor, Tensor]:
    """Decode one block of all rows of a canvas; returns its tokens `[B, M]` and the forwards of each row."""
    stepper = run.stepper
    tokens_BM = canvas.tokens_BS.gather(1, block.positions_BM)
    result_BM, nfe_B = tokens_BM.clone(), torch.zeros_like(before_B)
    part = Part(
        block, Window(run, canvas, block), stepper.cap(block), torch.arange(len(tokens_BM)).to(before_B)
    )
    state, step = stepper.begin(block, tokens_BM), 0
    while True:
        done_B = stepper.finished(state, part.block) | (part.cap_B <= step)
        if bool(done_B.any()):
            leaving, staying = done_B.nonzero()[:, 0], (~done_B).nonzero()[:, 0]
            gone, last = part.take(leaving), state.take(leaving)
            if stepper.extra_forward:
                last = stepper.read_last(last, gone.window.logits(last, gone.block), gone.block)
            result_BM[gone.rows_B] = stepper.tokens(last)
            nfe_B[gone.rows_B] = step + int(stepper.extra_forward)
            if not len(staying):
                return result_BM, nfe_B
            state, part = state.take(staying), part.take(staying)
        rows_B = part.rows_B
        logits = part.window.logits(state, part.block)
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


class Window:
    """The part of a canvas that a forward sees, with buffers that the block's inputs are written into."""

    def __init__(self, run: Run, canvas: Canvas, block: Block) -> None:
        self.run, self.canvas, self.size = run, canvas, block.window
        self.ids_BS = canvas.tokens_BS[:, : self.size]
        self.mask_BS = padding_mask(canvas, self.size, bool(run.facts.block_length))
        self.embeds_BSE: Tensor | None = None
        if run.stepper.continuous:
            self.embeds_BSE = run.model.get_input_embeddings()(self.ids_BS)

    def take(self, keep_B: Tensor) -> Window:
        """Return the window of some rows, cut to the longest of them where padding hid the rest."""
        other = object.__new__(Window)
        other.run, other.canvas = self.run, self.canvas.take(keep_B)
        other.size = self.size
        if not self.run.facts.block_length:
            other.size = int(other.canvas.end_B.max())
        other.ids_BS = self.ids_BS[keep_B, : other.size]
        other.mask_BS = padding_mask(other.canvas, other.size, bool(self.run.facts.block_length))
        other.embeds_BSE = None if self.embeds_BSE is None else self.embeds_BSE[keep_B, : other.size]
        return other

    def logits(self, state: State, block: Block) -> Logits:
        """Run one forward with the state's inputs in place, reading only where the decoder wants it."""
        stepper = self.run.stepper
        index_BK, read_BK = _places(stepper.wanted(state, block))
        positions_BK = block.positions_BM if index_BK is None else block.positions_BM.gather(1, index_BK)
        inputs = stepper.inputs(state)
        if self.embeds_BSE is None:
            ids_BS = self.ids_BS.scatter(1, block.positions_BM, inputs)
            values = response_logits(self.run.model, positions_BK, self.mask_BS, ids_BS=ids_BS)
        else:
            places = block.positions_BM[..., None].expand(inputs.shape)
            embeds = self.embeds_BSE.scatter(1, places, inputs.to(self.embeds_BSE.dtype))
            values = response_logits(self.run.model, positions_BK, self.mask_BS, embeds_BSE=embeds)
        return Logits(values, index_BK, read_BK)


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
