"""What one step knows before it changes anything: the state, one forward, and what follows from it.

Legend: B rows, M positions of a block, V vocabulary; p softmax of the logits, c confidence, H entropy in
nats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property

import torch
from torch import Tensor

from xpflow.decoding.stepper import Logits, StepInfo
from xpflow.decoding.tokens import Prediction, TokenState


@dataclass(frozen=True)
class AxisState(TokenState):
    """A block's tokens, and what the axes remember of earlier steps: tensors `[B, ...]` by name."""

    memory: Mapping[str, Tensor]

    def take(self, keep_B: Tensor) -> AxisState:
        """Return the state of some rows, given by index."""
        plain = {one.name: getattr(self, one.name)[keep_B] for one in fields(self) if one.name != "memory"}
        return replace(self, **plain, memory={name: kept[keep_B] for name, kept in self.memory.items()})

    def remember(self, **values: Tensor) -> AxisState:
        """Return the state with other memories."""
        return replace(self, memory={**self.memory, **values})


@dataclass(frozen=True)
class View:
    """One forward over a block; `found` has confidence -inf where nothing was read."""

    state: AxisState
    found: Prediction
    logits: Logits
    info: StepInfo

    @property
    def masked_BM(self) -> Tensor:
        """Return the positions that are masks before this step."""
        return self.state.masked_BM

    @property
    def decided_BM(self) -> Tensor:
        """Return the response positions that hold a token before this step."""
        return self.info.block.open_BM & ~self.state.masked_BM

    @cached_property
    def c_BM(self) -> Tensor:
        """Return the confidence at masks; -inf where a position takes no part."""
        return self.found.confidence.masked_fill(~self.state.masked_BM, -torch.inf)

    @property
    def able_BM(self) -> Tensor:
        """Return the masks that may be committed."""
        return self.c_BM > -torch.inf

    @cached_property
    def p_BMV(self) -> Tensor:
        """Return the distributions in float32, or the logits' dtype if wider; 0 where nothing was read."""
        values = self.logits.values_BKV
        p_BKV = values.to(torch.promote_types(values.dtype, torch.float32)).softmax(-1)
        if self.logits.index_BK is None:
            return p_BKV
        if self.logits.read_BK is not None:
            p_BKV = p_BKV * self.logits.read_BK[..., None]
        rows, size = self.state.ids_BM.shape
        index_BKV = self.logits.index_BK[..., None].expand(p_BKV.shape)
        return p_BKV.new_zeros(rows, size, p_BKV.shape[-1]).scatter_(1, index_BKV, p_BKV)

    @cached_property
    def entropy_BM(self) -> Tensor:
        """Return H in nats; 0 where nothing was read."""
        entropy_BM: Tensor = torch.special.entr(self.p_BMV).sum(-1)
        return entropy_BM

    @cached_property
    def support_BM(self) -> Tensor:
        """Return the probability of the token that a position holds (any number at masks)."""
        return self.p_BMV.gather(-1, self.state.ids_BM.clamp(min=0)[..., None])[..., 0]
