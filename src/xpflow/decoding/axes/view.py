"""What one step knows before it changes anything: the state, one forward, and what follows from it.

Legend: B rows, M positions of a block, K places of it that were read (K <= M), V vocabulary; p softmax of
the logits, c confidence, H entropy in nats. Tables over V are made at the K places only.
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
    def p_BKV(self) -> Tensor:
        """Return the distributions at the places read, in float32 or the logits' dtype if wider.

        Rows that read fewer places are filled up with others, as logits are.
        """
        values = self.logits.values_BKV
        return values.to(torch.promote_types(values.dtype, torch.float32)).softmax(-1)

    @property
    def p_BMV(self) -> Tensor:
        """Return the distributions of the whole block; 0 where nothing was read."""
        return self.spread(self.p_BKV)

    @cached_property
    def entropy_BK(self) -> Tensor:
        """Return H in nats at the places read."""
        return entropy(self.p_BKV)

    @cached_property
    def entropy_BM(self) -> Tensor:
        """Return H in nats; 0 where nothing was read."""
        return self.spread(self.entropy_BK)

    @cached_property
    def support_BM(self) -> Tensor:
        """Return the probability of the token that a position holds (any number at masks)."""
        held_BK = self.at_read(self.state.ids_BM).clamp(min=0)
        return self.spread(self.p_BKV.gather(-1, held_BK[..., None])[..., 0])

    def at_read(self, kept_BM: Tensor) -> Tensor:
        """Return what is kept for the places read: from `[B, M, ...]` to `[B, K, ...]`."""
        index_BK = self.logits.index_BK
        if index_BK is None:
            return kept_BM
        read = kept_BM.flatten(0, 1).index_select(0, self._rows_of(index_BK).flatten())
        return read.view(*index_BK.shape, *kept_BM.shape[2:])

    def spread(self, found_BK: Tensor) -> Tensor:
        """Return what was found at the places read over the block, 0 elsewhere: to `[B, M, ...]`."""
        index_BK, read_BK = self.logits.index_BK, self.logits.read_BK
        if index_BK is None:
            return found_BK
        rows_BK = self._rows_of(index_BK)
        rows, found = (
            (rows_BK.flatten(), found_BK.flatten(0, 1))
            if read_BK is None
            else (rows_BK[read_BK], found_BK[read_BK])
        )
        spread_BM = found_BK.new_zeros(*self.state.ids_BM.shape, *found_BK.shape[2:])
        spread_BM.flatten(0, 1).index_copy_(0, rows, found)
        return spread_BM

    @cached_property
    def number_BM(self) -> Tensor:
        """Return the number of each place among those read; 0 where it was not."""
        number_K = torch.arange(self.logits.values_BKV.shape[1], device=self.logits.values_BKV.device)
        return self.spread(number_K.expand(self.logits.values_BKV.shape[:2]))

    def kept(self, name: str, table_BKV: Tensor) -> dict[str, Tensor]:
        """Return a table at the places read as memories, from which `recalled` takes it in a later step."""
        return {name: table_BKV, f"{name}_at_BM": self.number_BM}

    def read_at(self, rows_C: Tensor, places_C: Tensor) -> Tensor:
        """Return the logits at some places of some rows, `[C, V]`; each was read."""
        return _chosen(self.logits.values_BKV, self.number_BM, rows_C, places_C)

    def recalled(self, name: str, rows_C: Tensor, places_C: Tensor) -> Tensor:
        """Return a kept table at some places of some rows, `[C, V]`; each was read then."""
        memory = self.state.memory
        return _chosen(memory[name], memory[f"{name}_at_BM"], rows_C, places_C)

    def recall(self, name: str) -> Tensor:
        """Return a kept table at the places read now; each must have been read then."""
        table_BKV, at_BK = self.state.memory[name], self.at_read(self.state.memory[f"{name}_at_BM"])
        rows, size = table_BKV.shape[:2]
        rows_BK = at_BK + size * torch.arange(rows, device=at_BK.device)[:, None]
        return table_BKV.flatten(0, 1).index_select(0, rows_BK.flatten()).view(*at_BK.shape, -1)

    def _rows_of(self, index_BK: Tensor) -> Tensor:
        """Return the places read as numbers in a table `[B * M, ...]`: whole rows of it are copied."""
        rows, size = self.state.ids_BM.shape
        return index_BK + size * torch.arange(rows, device=index_BK.device)[:, None]


def entropy(p: Tensor) -> Tensor:
    """Return the entropies in nats of distributions along the last dimension."""
    total: Tensor = p.clamp(min=torch.finfo(p.dtype).tiny).log_().mul_(p).sum(-1)
    return -total


def _chosen(table_BKV: Tensor, number_BM: Tensor, rows_C: Tensor, places_C: Tensor) -> Tensor:
    """Return rows of a table `[B, K, V]`, given where in it each place of a block is."""
    number_C = rows_C * table_BKV.shape[1] + number_BM[rows_C, places_C]
    return table_BKV.flatten(0, 1).index_select(0, number_C)
