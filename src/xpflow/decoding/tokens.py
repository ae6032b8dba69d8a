"""Hard tokens: predictions and confidences from logits, and the state of decoders for which a position is
either noise or a token.

Temperature, EOS options and suppression live here. Upstream's softmax runs in the dtype of the logits (bf16
at full scale, where every p >= 0.998 rounds to 1) and its torch.topk has no defined order among equals; both
are settings here.

Legend: K positions read, M positions of a block, V vocabulary; more in stepper.py. Source: LLaDA generate.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import torch
from pydantic import Field
from torch import Tensor

from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import Canvas, ModelFacts
from xpflow.decoding.entry import DecodeSettings, TieBreak
from xpflow.decoding.stepper import Logits, Setup, State, StepInfo, StepRecord
from xpflow.errors import DecodingError

HOTTEST = 10.0  # (-log u)^T leaves float64 at 19, and argmax would take the first of many infinities
DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32, "float64": torch.float64}


class TokenSettings(DecodeSettings):
    """What decoders over hard tokens share."""

    temperature: float = Field(
        default=0.0, ge=0.0, le=HOTTEST, description="Gumbel temperature in float64; 0: argmax"
    )
    noise_scope: Literal["open", "canvas"] = Field(
        default="open",
        description="canvas: draw for prompt positions too, upstream's random stream at batch 1",
    )
    confidence_eos_eot_inf: Literal["off", "official", "corrected"] = Field(
        default="off",
        description="EOS and EoT get confidence 0; official: with upstream's bug (only EoT at T > 0)",
    )


@dataclass(frozen=True, slots=True)
class Prediction:
    """Token ids and their confidences; -inf where a position takes no part."""

    ids: Tensor
    confidence: Tensor


def require_tokens(setting: str, count: int, vocabulary: int) -> None:
    """Raise DecodingError where a setting asks for more of the best tokens than a vocabulary has."""
    if count > vocabulary:
        raise DecodingError(f"{setting} is {count}, and the model has {vocabulary} tokens", hint="lower it")


def suppressed_ids(settings: DecodeSettings, facts: ModelFacts) -> list[int]:
    """Return the ids that may never be predicted under these settings."""
    ids = set[int]()
    if settings.suppress != "none":
        ids.update(facts.noise.ids)
    if settings.suppress == "special":
        ids.update(facts.suppress_ids)
    if settings.logits_eos_inf:
        ids.add(facts.eos_id)
    return sorted(ids)


def suppress(logits_BKV: Tensor, ids: list[int]) -> Tensor:
    """Write -inf into the columns of `ids`, in place: a copy would cost more than the softmax."""
    for column in ids:
        logits_BKV[..., column].fill_(-torch.inf)
    return logits_BKV


def confidence_of(logits_BKV: Tensor, ids_BK: Tensor, settings: DecodeSettings) -> Tensor:
    """Return the softmax probability of `ids_BK`, in the dtype that the settings name."""
    logits = logits_BKV.to(DTYPES.get(settings.confidence_dtype, logits_BKV.dtype))
    if settings.confidence_kernel == "fused":
        chosen_BK = logits.gather(-1, ids_BK[..., None])[..., 0]
        return (chosen_BK - logits.logsumexp(-1)).exp()
    return logits.softmax(-1).gather(-1, ids_BK[..., None])[..., 0]


def gumbel_argmax(values: Tensor, uniform: Tensor, temperature: float) -> Tensor:
    """Return draws from softmax(values / temperature), given U[0, 1) in float64, which it writes over."""
    return (values.to(torch.float64).exp() / uniform.log_().neg_() ** temperature).argmax(-1)


def most_confident(
    confidence_BM: Tensor, count: int | Tensor, tie_break: TieBreak, block: Block | None = None
) -> Tensor:
    """Return a bool mask `[B, M]` of the `count` most confident positions of each row (one number for
    all, or one per row); -inf is never chosen.

    With tie_break "torch_topk" and a block of a bidirectional model each row is laid into its canvas first,
    because the order that torch.topk gives equals depends on the length and place of what it sorts.
    """
    if tie_break == "torch_topk":
        return _upstream_choice(confidence_BM, count, block)
    able_BM = confidence_BM > -torch.inf
    if isinstance(count, int) and count == 1:
        best_B1 = confidence_BM.argmax(-1, keepdim=True)
        return torch.zeros_like(able_BM).scatter_(1, best_B1, True) & able_BM
    order_BM = confidence_BM.argsort(dim=-1, descending=True, stable=True)
    ranks = torch.arange(confidence_BM.shape[1], device=order_BM.device)
    within = ranks < (count if isinstance(count, int) else count[:, None])
    chosen_BM = torch.zeros_like(able_BM).scatter_(1, order_BM, within.expand_as(order_BM))
    return chosen_BM & able_BM


def _upstream_choice(confidence_BM: Tensor, count: int | Tensor, block: Block | None) -> Tensor:
    chosen_BM = torch.zeros_like(confidence_BM, dtype=torch.bool)
    counts = [count] * len(chosen_BM) if isinstance(count, int) else count.tolist()
    for row, wanted in enumerate(counts):
        values, first = confidence_BM[row], 0
        able = int((values > -torch.inf).sum())
        if block is not None and not block.absolute:
            first = int(block.positions_BM[row, 0])
            canvas = values.new_full((int(block.row_end_B[row]),), -torch.inf)
            values = canvas.scatter(0, block.positions_BM[row], values)
        chosen_BM[row, torch.topk(values, min(wanted, able)).indices - first] = True
    return chosen_BM


@dataclass(frozen=True)
class TokenState(State):
    """What a block holds.

    ids_BM: noise where open; masked_BM: what is still open (a predicted mask id leaves a position open);
    masks_B: how many were open at the block's start; start_BM: the ids there, noise where open.
    """

    ids_BM: Tensor
    masked_BM: Tensor
    masks_B: Tensor
    start_BM: Tensor


T = TypeVar("T", bound=TokenState)


class TokenReader:
    """Base of steppers over hard tokens: reads predictions and writes the chosen ones."""

    continuous = False
    settings: TokenSettings

    def __init__(self, setup: Setup) -> None:
        assert isinstance(setup.settings, TokenSettings)
        self.settings, self.facts, self.schedule = setup.settings, setup.facts, setup.schedule
        self.noise, self.random = setup.facts.noise, setup.random
        self.hidden_ids = suppressed_ids(setup.settings, setup.facts)

    def begin(self, block: Block, canvas: Canvas) -> TokenState:
        """Return the state at the start of a block."""
        tokens_BM = canvas.tokens_at(block.positions_BM)
        masked_BM = block.open_BM & self.noise.is_open(tokens_BM)
        return TokenState(tokens_BM, masked_BM, masked_BM[:, -block.length :].sum(-1), tokens_BM)

    def inputs(self, state: TokenState) -> Tensor:
        """Return the ids that the model sees."""
        return state.ids_BM

    def tokens(self, state: TokenState) -> Tensor:
        """Return the ids of the block."""
        return state.ids_BM

    def wanted(self, state: TokenState, block: Block) -> Tensor | None:
        """Return the masked positions: only they are predicted."""
        return state.masked_BM

    def finished(self, state: TokenState, block: Block) -> Tensor:
        """Return the rows without a mask."""
        return ~state.masked_BM.any(-1)

    def predict(self, state: TokenState, logits: Logits, info: StepInfo) -> Prediction:
        """Return predictions over the whole block: ids kept and confidence -inf where nothing was read."""
        values = suppress(logits.values_BKV, self.hidden_ids)
        ids_BK = self._choose(state, values, logits, info)
        if self.settings.confidence_eos_eot_inf != "off":
            values = suppress(values, self._eos_columns())
        confidence_BK = confidence_of(values, ids_BK, self.settings)
        if logits.read_BK is not None and logits.index_BK is not None:
            confidence_BK = confidence_BK.masked_fill(~logits.read_BK, -torch.inf)
            ids_BK = torch.where(logits.read_BK, ids_BK, state.ids_BM.gather(1, logits.index_BK))
        if logits.index_BK is None:
            return Prediction(ids_BK, confidence_BK)
        all_BM = confidence_BK.new_full(state.ids_BM.shape, -torch.inf)
        return Prediction(
            state.ids_BM.scatter(1, logits.index_BK, ids_BK),
            all_BM.scatter_(1, logits.index_BK, confidence_BK),
        )

    def write(
        self,
        state: T,
        found: Prediction,
        chosen_BM: Tensor,
        info: StepInfo,
        reopened: Mapping[str, Tensor] | None = None,
    ) -> tuple[T, StepRecord | None]:
        """Put the chosen predictions in place; what else a state of a subclass holds stays as it is.

        reopened: by the name of their event, positions that become noise again.
        """
        ids_BM, masked_BM = torch.where(chosen_BM, found.ids, state.ids_BM), state.masked_BM
        for where_BM in (reopened or {}).values():
            ids_BM, masked_BM = torch.where(where_BM, state.start_BM, ids_BM), masked_BM | where_BM
        new = replace(state, ids_BM=ids_BM, masked_BM=masked_BM & self.noise.is_open(ids_BM))
        events = {"commit": chosen_BM, **(reopened or {})}
        return new, self.record(new, found, events, info) if info.observed else None

    def record(
        self, new: TokenState, found: Prediction, events: Mapping[str, Tensor], info: StepInfo
    ) -> StepRecord:
        """Return the record of a step: progress is 1 at tokens and 0 at noise."""
        t_BM = (~self.noise.is_open(new.ids_BM)).to(torch.float32)
        c_BM = found.confidence.masked_fill(found.confidence == -torch.inf, torch.nan)
        return StepRecord(info, new.ids_BM, t_BM, c_BM, found.ids, events)

    def _choose(self, state: TokenState, values_BKV: Tensor, logits: Logits, info: StepInfo) -> Tensor:
        if self.settings.temperature == 0.0:
            return values_BKV.argmax(-1)
        uniform_BKV = self._uniform(values_BKV, logits, info)
        return gumbel_argmax(values_BKV, uniform_BKV, self.settings.temperature)

    def _uniform(self, values_BKV: Tensor, logits: Logits, info: StepInfo) -> Tensor:
        rows, vocabulary = info.rows_B.tolist(), values_BKV.shape[-1]
        drawn = []
        for index, row in enumerate(rows):
            size = info.block.positions_BM.shape[1]
            places_K = torch.arange(size) if logits.index_BK is None else logits.index_BK[index]
            if self.settings.noise_scope == "canvas":
                places_K = info.block.positions_BM[index][places_K]
                size = int(info.block.row_end_B[index])
            drawn.append(self.random.uniform(row, (size, vocabulary), torch.float64)[places_K])
        return torch.stack(drawn)

    def _eos_columns(self) -> list[int]:
        """Upstream writes EOS into the noised tensor, which is the plain one only at temperature 0."""
        columns = [] if self.facts.eot_id is None else [self.facts.eot_id]
        if self.settings.confidence_eos_eot_inf == "corrected" or self.settings.temperature == 0.0:
            columns.append(self.facts.eos_id)
        return columns
