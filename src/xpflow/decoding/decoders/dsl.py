"""DSL-LLaDA: the response is a noisy code that walks from Gaussian noise to tokens (arXiv 2606.01024).

A place has y = z / s. It starts as a random direction, and Heun's steps (`continuous.heun`) take it along a
grid of s (`continuous.snr`): two forwards a step, and one more whose best tokens are the answer. A forward
reads converter(s y) at open places and ordinary embeddings elsewhere; its expected code is over the most
likely tokens. `sampler: ode` is the same without noise.

The budget's steps count forwards as the paper does: B of them make B / 2 steps, never fewer than two, and
cost a forward more. So 2 and 4 share a grid and cost 5; 8, 16 and 32 cost 9, 17 and 33. `steps_per_block: 1`
costs 3, on a grid of ours.

The converter is the model's own, from `objective.safetensors` in its folder (objective `dsl`). A model
without gets a fresh one, made from its embeddings: what the sampler is worth without the training.

Deviations: ratios are shares of the s_max that the codes at hand have, and the expectation is over a share of
the vocabulary (the paper: 512 of 126,464 tokens).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from xpflow.continuous.converter import Converter
from xpflow.continuous.heun import ahead, corrected
from xpflow.continuous.snr import noise_of_steps, snr_grid, steps_of
from xpflow.decoding.axes.feedback import weighted
from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import Canvas, ModelFacts
from xpflow.decoding.entry import COMMIT, Decoder, DecodeSettings, Event
from xpflow.decoding.own_modules import has_module, own_module
from xpflow.decoding.stepper import Logits, Setup, State, StepInfo, StepRecord
from xpflow.decoding.tokens import confidence_of, suppress, suppressed_ids
from xpflow.decoding.trace import Trace
from xpflow.errors import DecodingError
from xpflow.traces.replay import Replayed, tokens_after

MODULE = "converter"


class DslSettings(DecodeSettings):
    """Settings of `dsl`."""

    suppress: Literal["none", "mask", "special"] = Field(default="mask", description="Ids never predicted")
    sampler: Literal["sde", "ode"] = Field(default="sde", description="With noise at every step, or without")
    noise_scale: float | None = Field(
        default=None,
        ge=0.0,
        description="Of `sampler: sde`; none: the published one for so many steps; 1: the exact process",
    )
    steps_per_block: int | None = Field(
        default=None,
        ge=1,
        description="Heun steps, two forwards each; none: half of the budget's forwards, at least 2",
    )
    sharpness: float = Field(default=2.0, gt=0.0, description="beta in decoding over the learned beta")
    top_share: float = Field(
        default=512 / 126_464,
        gt=0.0,
        le=1.0,
        description="Share of the vocabulary that an expected code is over; one token at least",
    )
    converter: Literal["auto", "own", "fresh"] = Field(
        default="auto",
        description="The model's own, a fresh one of its embeddings, or fresh only where it has none",
    )
    width: int = Field(default=100, gt=1, description="Numbers of a code, of a fresh converter")


@dataclass(frozen=True)
class DslState(State):
    """Where a block's places are: y, the y that is read now, their drift's code and noise, and the tokens.

    grid_BG: ratios of each row, filled up with its last; steps_B: how many steps it has; s_B: the ratio now.
    """

    y_BMC: Tensor
    read_BMC: Tensor
    x_BMC: Tensor
    kick_BMC: Tensor
    grid_BG: Tensor
    steps_B: Tensor
    s_B: Tensor
    plain_BME: Tensor
    open_BM: Tensor
    ids_BM: Tensor


class Dsl:
    """The stepper of `dsl`."""

    continuous = True

    def __init__(self, setup: Setup) -> None:
        assert isinstance(setup.settings, DslSettings)
        self.settings, self.random = setup.settings, setup.random
        self.hidden_ids = suppressed_ids(setup.settings, setup.facts)
        self.embed = setup.model.get_input_embeddings()
        dtype = torch.promote_types(self.embed.weight.dtype, torch.float32)
        found = converter_of(setup.model, setup.facts, setup.settings.converter, setup.settings.width)
        self.converter = found.to(setup.facts.device, dtype)
        self.top = max(1, round(self.settings.top_share * setup.facts.vocabulary))
        self.snr_max = float(self.converter.snr_max)

    def steps(self, block: Block) -> Tensor:
        """Return the Heun steps of each row, [B]."""
        if self.settings.steps_per_block is not None:
            return torch.full_like(block.steps_B, self.settings.steps_per_block)
        return (block.steps_B // 2).clamp(min=steps_of(1))

    def begin(self, block: Block, canvas: Canvas) -> DslState:
        """Return the state at the start of a block: random directions where open."""
        width, places = self.converter.codes.shape[1], block.positions_BM.shape[1]
        drawn = [self.random.normal(row, (places, width)) for row in canvas.rows_B.tolist()]
        y_BMC = torch.stack(drawn).to(self.converter.codes)
        y_BMC = y_BMC / y_BMC.norm(dim=-1, keepdim=True)
        steps_B = self.steps(block)
        grids = [snr_grid(count, self.snr_max) for count in steps_B.tolist()]
        longest = max(map(len, grids))
        grid_BG = y_BMC.new_tensor([grid + grid[-1:] * (longest - len(grid)) for grid in grids])
        plain_BME = canvas.embedded(self.embed, block.positions_BM)
        ids_BM, none_BMC = canvas.tokens_at(block.positions_BM), torch.zeros_like(y_BMC)
        return DslState(
            y_BMC,
            y_BMC,
            none_BMC,
            none_BMC,
            grid_BG,
            steps_B,
            grid_BG[:, 0],
            plain_BME,
            block.open_BM,
            ids_BM,
        )

    def inputs(self, state: DslState) -> Tensor:
        """Return the embeddings that the model sees."""
        z_BMC = state.s_B[:, None, None] * state.read_BMC
        found_BME = self.converter(z_BMC, self.settings.sharpness).to(state.plain_BME.dtype)
        return torch.where(state.open_BM[..., None], found_BME, state.plain_BME)

    def tokens(self, state: DslState) -> Tensor:
        """Return the best tokens of the last forward."""
        return state.ids_BM

    def wanted(self, state: DslState, block: Block) -> Tensor | None:
        """Return None: every open place moves."""
        return None

    def cap(self, block: Block) -> Tensor:
        """Return two forwards a step, and the one that is read."""
        return 2 * self.steps(block) + 1

    def finished(self, state: DslState, block: Block) -> Tensor:
        """Return that every row goes to its cap."""
        return torch.zeros_like(state.steps_B, dtype=torch.bool)

    def step(self, state: DslState, logits: Logits, info: StepInfo) -> tuple[DslState, StepRecord | None]:
        """Take half of a Heun step, or read the answer."""
        values_BMV = suppress(logits.values_BKV, self.hidden_ids)
        best_BM = values_BMV.argmax(-1)
        last_B = info.step >= 2 * state.steps_B
        new = self._moved(state, values_BMV, info)
        ids_BM = torch.where(state.open_BM, best_BM, state.ids_BM)
        new = replace(new, ids_BM=ids_BM)
        if not info.observed:
            return new, None
        reached_B1 = (new.s_B / state.grid_BG[:, -1])[:, None]
        t_BM = torch.where(state.open_BM, reached_B1, 1.0)
        commit_BM = state.open_BM & last_B[:, None]
        events = {"move": state.open_BM & ~commit_BM, "commit": commit_BM}
        c_BM = confidence_of(values_BMV, best_BM, self.settings)
        return new, StepRecord(info, ids_BM, t_BM.to(torch.float32), c_BM, best_BM, events)

    def _moved(self, state: DslState, values_BMV: Tensor, info: StepInfo) -> DslState:
        """Return the state after a prediction (even steps) or its correction; rows at their end stay."""
        best_BMT, ids_BMT = values_BMV.topk(self.top, dim=-1)
        shares_BMT = best_BMT.to(self.converter.codes.dtype).softmax(-1)  # p, renormalised over the top
        x_BMC = weighted(self.converter.codes, ids_BMT, shares_BMT)
        here, there = (min(info.step // 2 + more, state.grid_BG.shape[1] - 1) for more in (0, 1))
        s, s_next = (state.grid_BG[:, place, None, None] for place in (here, there))
        if info.step % 2 == 0:
            kick_BMC = self._kick(state, s_next - s, info)
            read_BMC = ahead(state.y_BMC, x_BMC, s, s_next, kick_BMC)
            return replace(state, read_BMC=read_BMC, x_BMC=x_BMC, kick_BMC=kick_BMC, s_B=s_next[:, 0, 0])
        y_BMC = corrected(state.y_BMC, state.x_BMC, state.read_BMC, x_BMC, s, s_next, state.kick_BMC)
        return replace(state, y_BMC=y_BMC, read_BMC=y_BMC)

    def _kick(self, state: DslState, width: Tensor, info: StepInfo) -> Tensor:
        """Return n sqrt(ds) N for every row; nothing is drawn without noise."""
        if self.settings.sampler == "ode" or self.settings.noise_scale == 0:
            return torch.zeros_like(state.y_BMC)
        shape, given = tuple(state.y_BMC.shape[1:]), self.settings.noise_scale
        kick_BMC = torch.zeros_like(state.y_BMC)
        for index, (row, count) in enumerate(zip(info.rows_B.tolist(), state.steps_B.tolist(), strict=True)):
            if info.step < 2 * count:  # not in the forward that is read
                scale = noise_of_steps(count) if given is None else given
                kick_BMC[index] = scale * self.random.normal(row, shape).to(kick_BMC)
        return width.sqrt() * kick_BMC


def converter_of(model: Any, facts: ModelFacts, which: str = "auto", width: int = 100) -> Converter:
    """Return the converter of an open model, its own or a fresh one of its embeddings (seed 0), in float32.

    Raises:
        DecodingError: it has none of its own, or none that fits.
    """
    table_VE = model.get_input_embeddings().weight.detach()
    if which == "own" or (which == "auto" and has_module(model, MODULE)):
        found = own_module(model, MODULE, "dsl", Converter.of_state)
        if found.weight.shape != (len(table_VE) + 1, table_VE.shape[1]):
            raise DecodingError(
                f"the converter has {tuple(found.weight.shape)} numbers for embeddings of "
                f"{tuple(table_VE.shape)}",
                hint="weights and converter must be of one training run",
            )
        return found.requires_grad_(False)
    return Converter.fresh(table_VE, facts.noise, width).requires_grad_(False)


def states(trace: Trace) -> Iterator[Replayed]:
    """Yield the state before the first step and after every step: t is the share of its last ratio."""
    tokens = np.array(trace.head["start"], np.int32)
    t = np.zeros(len(tokens), np.float32)
    yield Replayed(tokens, t)
    first = 0
    for step in range(trace.steps):
        if step and trace.block[step] != trace.block[step - 1]:
            first = step
        forwards = int((trace.block == trace.block[step]).sum())
        grid = snr_grid(forwards // 2, 1.0)
        tokens, t = tokens_after(trace, step, tokens), t.copy()
        t[trace.open[step]] = grid[min((step - first) // 2 + 1, forwards // 2)] / grid[-1]
        yield Replayed(tokens, t)


DECODER = Decoder(
    settings=DslSettings,
    make=Dsl,
    about="noisy codes walk from noise to tokens, with or without noise on their way",
    title="DSL",
    source="DSL-LLaDA, arXiv 2606.01024, and its public code",
    nfe="own",  # a forward more than the budget says, and 5 at least
    shown=("sampler",),
    examples=(
        {},
        {"sampler": "ode"},
        {"steps_per_block": 1, "noise_scale": 1.0},
        {"steps_per_block": 3, "top_share": 1.0, "width": 8},
    ),
    events=(Event("move", "write"), COMMIT),
    replay=states,
    draws=lambda settings: True,
    only_with={
        "noise_scale": ("sampler: sde", lambda settings: settings.sampler == "sde"),
        "width": ("a converter that may be fresh", lambda settings: settings.converter != "own"),
    },
)
