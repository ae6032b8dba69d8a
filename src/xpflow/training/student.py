"""A model in training with its reference, as one module whose forward measures every position.

One module, because a sharded model gathers the weights of its root (embedding, last norm, head) for the time
of one forward and backward: table, head and loss must be used inside it.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from xpflow.runtime.machine import Machine
from xpflow.training.objectives import Corrupted
from xpflow.training.terms import Hidden, Terms, chunked_terms, plain_head, position_terms


class Measured(nn.Module):
    """Calls the student (and for "kl" its reference) on a batch and returns terms [B, K].

    The reference is `base`, or without one the student with its adapters switched off.
    """

    def __init__(self, student: Any, base: Any | None, machine: Machine) -> None:
        super().__init__()
        self.student, self.machine = student, machine
        self._base = (base,)  # in a tuple: it is no part of this module's weights

    def forward(self, batch: Corrupted, wanted: Collection[str]) -> Terms:
        """Return the wanted terms (names of `training.terms.TERMS`) of a batch on this process's device."""
        table_VD = self.student.get_input_embeddings().weight.detach()
        chunk = self.machine.vocab_chunk
        with self.machine.autocast(self.student):
            reference = self._reference(batch) if "kl" in wanted else None
            output = self.student(**batch.inputs, head=not chunk)
            if not chunk:
                return position_terms(output.logits, batch.target_BK, table_VD, wanted, reference)
            hidden = Hidden(output.hidden, self.student.get_output_embeddings())
            return chunked_terms(hidden, batch.target_BK, table_VD, wanted, reference, chunk)

    def _reference(self, batch: Corrupted) -> Any:
        """Return the reference's logits, or with chunks its hidden states and head."""
        chunk, (base,) = self.machine.vocab_chunk, self._base
        switched_off: AbstractContextManager[Any] = nullcontext()
        if base is None:
            base, switched_off = self.student, self.student.disable_adapter()
        with torch.no_grad(), switched_off:
            output = base(**batch.inputs, head=not chunk)
        return Hidden(output.hidden, plain_head(base.get_output_embeddings())) if chunk else output.logits
