"""The block schedule: which positions are open together, in which order, for how many steps.

LLaDA: blocks are relative to the response, N is a multiple of the block length, and a forward sees the whole
canvas.
LLaDA2: blocks are aligned to ABSOLUTE position 0, so the prompt's tail shares the first one. Rows with
prompts of different length advance in lock step by relative block number, and the window ends with the
longest row's current block: a block-causal model cannot see later blocks, so neither changes a logit.
Source: LLaDA generate.py; LLaDA2.0 generate (block schedule).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from xpflow.decoding.canvas import Canvas, ModelFacts
from xpflow.decoding.entry import DecodeSettings
from xpflow.errors import DecodingError
from xpflow.noise import Noise


@dataclass(frozen=True, slots=True)
class Schedule:
    """Blocks of a decode: their length, their steps, and whether they are aligned to absolute position 0."""

    block_length: int
    steps_per_block: int
    absolute: bool
    settings: DecodeSettings

    @property
    def stops_after_eos(self) -> bool:
        """Return whether a row ends with the block in which it has an EOS."""
        chosen = self.settings.stop_after_eos
        return self.absolute if chosen is None else chosen

    def quota(self, step: int, masks_B: Tensor) -> int | Tensor:
        """Return the tokens that mask prediction commits in a step: one number, or `[B]` where rows differ.

        m // steps each, the first m % steps steps one more, where m is the number of masks at the block's
        start (LLaDA) or the block length (LLaDA2).
        """
        counts = {self.block_length} if self.absolute else set(masks_B.tolist())
        if len(counts) == 1:
            m = counts.pop()
            return int(m // self.steps_per_block + (step < m % self.steps_per_block))
        return self.quotas(torch.full_like(masks_B, step), masks_B)

    def quotas(self, step_B: Tensor, masks_B: Tensor) -> Tensor:
        """Return the quota, `[B]`, of rows that are at different steps."""
        m_B = torch.full_like(masks_B, self.block_length) if self.absolute else masks_B
        return m_B // self.steps_per_block + (step_B < m_B % self.steps_per_block).long()


@dataclass(frozen=True, slots=True)
class Block:
    """One block of some rows.

    positions_BM: absolute places; open_BM: which of them are decoded; steps_B: cap on steps; row_start_B,
    row_end_B: first and one past the last open place of the whole response; length: of the block; window:
    canvas length that a forward needs.
    """

    number: int
    positions_BM: Tensor
    open_BM: Tensor
    steps_B: Tensor
    row_start_B: Tensor
    row_end_B: Tensor
    window: int
    absolute: bool
    length: int

    def take(self, keep_B: Tensor) -> Block:
        """Return the block of some rows, given by index."""
        names = ("positions_BM", "open_BM", "steps_B", "row_start_B", "row_end_B")
        return replace(self, **{name: getattr(self, name)[keep_B] for name in names})

    @property
    def offset_BM(self) -> Tensor:
        """Return the places relative to the response's start (negative in the prompt's tail)."""
        return self.positions_BM - self.row_start_B[:, None]


def make_schedule(settings: DecodeSettings, facts: ModelFacts) -> Schedule:
    """Check that lengths, budget and model fit together and return the schedule."""
    return schedule_of(settings, facts.block_length)


def schedule_of(settings: DecodeSettings, block_length: int) -> Schedule:
    """Return the schedule on a model whose blocks have a length (0: a bidirectional one); see above."""
    if block_length:
        return _absolute_schedule(settings, block_length)
    block = settings.block_length or settings.gen_length
    if settings.gen_length % block:
        raise DecodingError(
            f"gen_length {settings.gen_length} is not a multiple of block_length {block}",
            hint="choose a block_length that divides gen_length",
        )
    blocks = settings.gen_length // block
    if settings.steps % blocks:
        raise DecodingError(
            f"{settings.steps} steps cannot be shared by {blocks} blocks",
            hint="choose a budget or block_length so that each block gets the same whole number of steps",
        )
    return Schedule(block, settings.steps // blocks, False, settings)


def _absolute_schedule(settings: DecodeSettings, block: int) -> Schedule:
    if settings.block_length not in (None, block):
        raise DecodingError(
            f"block_length {settings.block_length} does not fit a model trained with blocks of {block}",
            hint="leave block_length out: the model's own is used",
        )
    steps = settings.budget * block
    if steps.denominator != 1:
        raise DecodingError(
            f"budget {settings.budget} of a block of {block} is {float(steps):g} steps",
            hint="choose a budget whose denominator divides the model's block length",
        )
    return Schedule(block, int(steps), True, settings)


def block_rows(canvas: Canvas, schedule: Schedule, number: int) -> Tensor:
    """Return the indices of the rows that have a block of this relative number."""
    return (_block_start(canvas, schedule, number) < canvas.end_B).nonzero()[:, 0]


def make_block(canvas: Canvas, schedule: Schedule, number: int, noise: Noise | None = None) -> Block:
    """Return the block of a relative number; every row of the canvas must have it.

    With a `noise`, earlier response positions of a bidirectional model that still hold it are open again, as
    they are upstream (it takes a model that predicts its own mask token): the block then starts at the
    response.
    """
    start_B, length = _block_start(canvas, schedule, number), schedule.block_length
    width = torch.arange(length, device=start_B.device)
    positions_BM = start_B[:, None] + width
    open_BM = (positions_BM >= canvas.start_B[:, None]) & (positions_BM < canvas.end_B[:, None])
    if noise is not None and number and not schedule.absolute:
        earlier_BM = canvas.start_B[:, None] + torch.arange(number * length, device=start_B.device)
        left_BM = noise.is_open(canvas.tokens_at(earlier_BM))
        if bool(left_BM.any()):
            positions_BM = torch.cat((earlier_BM, positions_BM), dim=1)
            open_BM = torch.cat((left_BM, open_BM), dim=1)
    steps_B = torch.full_like(start_B, schedule.steps_per_block)
    if schedule.absolute and schedule.settings.block_steps == "proportional":
        budget = schedule.settings.budget
        steps_B = -(-open_BM.sum(-1) * budget.numerator // budget.denominator)
    window = int(positions_BM.max()) + 1 if schedule.absolute else int(canvas.end_B.max())
    ends = (canvas.start_B, canvas.end_B)
    return Block(number, positions_BM, open_BM, steps_B, *ends, window, schedule.absolute, length)


def _block_start(canvas: Canvas, schedule: Schedule, number: int) -> Tensor:
    block = schedule.block_length
    first_B = canvas.start_B // block * block if schedule.absolute else canvas.start_B
    return first_B + number * block
