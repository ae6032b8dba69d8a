"""A model in training, what can be asked of it, and what its predictions measure at every position.

Legend: B rows, S sequence length, K read positions, C positions of a chunk, V vocabulary, D embedding width.

Logits of the 8 B model are 126,464 wide: those of 32 rows of 512 positions are 8 GB in fp32, and a loss on
them holds several tensors of that size. With `runtime.vocab_chunk` a prediction keeps the hidden states
instead, applies the head to that many positions at a time and does so again in the backward pass
(torch.utils.checkpoint), so that the largest tensor is [C, V]. Both ways agree up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from xpflow.runtime.machine import Machine
from xpflow.training.corruption import Corrupted

Terms = dict[str, Tensor]
TERMS = ("error", "ce", "kl", "right")
Found = TypeVar("Found")


class Student(nn.Module):
    """A model with the modules that its objective adds, as one module.

    One module, because a sharded model gathers the weights of its root (embedding, last norm, head) for the
    time of one forward and backward: whatever uses them must run inside `forward`. The reference is `base`,
    or without one the model with its adapters switched off.
    """

    def __init__(
        self,
        model: Any,
        machine: Machine,
        extra: Mapping[str, nn.Module] | None = None,
        base: Any | None = None,
    ) -> None:
        super().__init__()
        self.model, self.machine = model, machine
        self.extra = nn.ModuleDict(dict(extra or {}))
        self.router_load: Tensor | None = None
        self._base = (base,)  # in a tuple: it is no part of this module's weights

    @property
    def base(self) -> Any | None:
        """Return the reference, where it is a model of its own."""
        return self._base[0]

    @property
    def table_VD(self) -> Tensor:
        """Return W_in, the input embeddings, as a constant."""
        weight: Tensor = self.model.get_input_embeddings().weight
        return weight.detach()

    def forward(self, work: Callable[[Student], Found]) -> Found:
        """Return what `work` makes of this student, with its weights at hand and in its precision."""
        with self.machine.autocast(self.model):
            return work(self)

    def embed(self, ids: Tensor) -> Tensor:
        """Return the input embeddings of ids, [..., D], open to gradients."""
        found: Tensor = self.model.get_input_embeddings()(ids)
        return found

    def predict(
        self, batch: Corrupted, embeddings_BKD: Tensor | None = None, *, hidden: bool = False
    ) -> Prediction:
        """Run the model once and return what it predicts at the read positions.

        Args:
            embeddings_BKD: what the model reads there, instead of its embeddings of the batch's ids.
            hidden: keep the hidden states [B, K, D] too (an order head reads them).
        """
        inputs = batch.inputs if embeddings_BKD is None else self._mixed(batch, embeddings_BKD)
        chunk = self.machine.vocab_chunk
        output = self.model(**inputs, head=not (chunk or hidden))
        self._count(getattr(output, "router_load", None))
        if not (chunk or hidden):
            return Prediction(self.table_VD, output.logits)
        states = Hidden(output.hidden, self.model.get_output_embeddings())
        return Prediction(self.table_VD, None if chunk else states.head(output.hidden), states, chunk)

    def reference(self, batch: Corrupted) -> Prediction:
        """Return what the model predicted before this run, without a gradient."""
        base, chunk = self.base, self.machine.vocab_chunk
        off: AbstractContextManager[Any] = nullcontext()
        if base is None:
            base, off = self.model, self.model.disable_adapter()
        with torch.no_grad(), off:
            output = base(**batch.inputs, head=not chunk)
        if not chunk:
            return Prediction(self.table_VD, output.logits)
        states = Hidden(output.hidden, plain_head(base.get_output_embeddings()))
        return Prediction(self.table_VD, None, states, chunk)

    def _mixed(self, batch: Corrupted, embeddings_BKD: Tensor) -> dict[str, Tensor]:
        """Return the batch's inputs with embeddings for ids, the given ones at the read positions."""
        inputs = dict(batch.inputs)
        whole_BSD = self.embed(inputs.pop("input_ids"))
        places_BKD = inputs["logits_positions_BN"][..., None].expand_as(embeddings_BKD)
        mixed_BSD = whole_BSD.scatter(1, places_BKD, embeddings_BKD.to(whole_BSD.dtype))
        return {**inputs, "inputs_embeds": mixed_BSD}

    def _count(self, load: Tensor | None) -> None:
        if load is not None and self.training:
            self.router_load = load if self.router_load is None else self.router_load + load


@dataclass(frozen=True, slots=True)
class Hidden:
    """Hidden states [B, K, D] and the head that makes logits of them."""

    states_BKD: Tensor
    head: Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One forward's logits [B, K, V], or with `chunk` the hidden states that they are made from in pieces."""

    table_VD: Tensor
    logits_BKV: Tensor | None
    hidden: Hidden | None = None
    chunk: int = 0

    def terms(self, target_BK: Tensor, wanted: Collection[str], reference: Prediction | None = None) -> Terms:
        """Return the wanted terms (names of TERMS, see `position_terms`), [B, K] each."""
        if self.logits_BKV is not None:
            others = None if reference is None else reference.logits_BKV
            return position_terms(self.logits_BKV, target_BK, self.table_VD, wanted, others)
        assert self.hidden is not None
        others_hidden = None if reference is None else reference.hidden
        return chunked_terms(self.hidden, target_BK, self.table_VD, wanted, others_hidden, self.chunk)

    def each(self, function: Callable[..., Tensor], *others_BK: Tensor) -> Tensor:
        """Return function(logits, *others) at every position, [B, K, ...], in chunks where the study asks.

        Args:
            function: of logits [..., V] and the other tensors' values [..., *] at the same positions; it must
            treat every position by itself. others_BK: tensors [B, K, ...].
        """
        if self.logits_BKV is not None:
            return function(self.logits_BKV, *others_BK)
        hidden = self.hidden
        assert hidden is not None
        flat = [value.flatten(0, 1) for value in (hidden.states_BKD, *others_BK)]
        (found,) = in_chunks(lambda s, *rest: (function(hidden.head(s), *rest),), flat, self.chunk)
        return found.view(*hidden.states_BKD.shape[:2], *found.shape[1:])


def position_terms(
    logits: Tensor, target: Tensor, table_VD: Tensor, wanted: Collection[str], reference: Tensor | None = None
) -> Terms:
    """Return the wanted terms of every position, each of the shape of `target`.

    Args:
        logits: [..., V]. target: clean ids [...]. table_VD: W_in, a constant. reference: logits [..., V] that
        "kl" needs. wanted: names of TERMS: "error" ||softmax(z) W_in - e(x0)||^2 (Eq. 11-12), "ce"
        cross-entropy (nats), "kl" KL(reference || model) (nats), "right" 1 where the argmax is the target.
    """
    found: Terms = {}
    with torch.autocast(logits.device.type, enabled=False):
        if "error" in wanted:
            found["error"] = x_prediction_error(logits, target, table_VD)
        if "ce" in wanted:
            flat = logits.reshape(-1, logits.shape[-1]).float()
            found["ce"] = F.cross_entropy(flat, target.flatten(), reduction="none").view_as(target)
        if "kl" in wanted:
            assert reference is not None
            log_p, log_q = reference.float().log_softmax(-1), logits.float().log_softmax(-1)
            found["kl"] = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)
        if "right" in wanted:
            found["right"] = (logits.argmax(-1) == target).float()
    return found


def chunked_terms(
    hidden: Hidden,
    target_BK: Tensor,
    table_VD: Tensor,
    wanted: Collection[str],
    reference: Hidden | None = None,
    chunk: int = 512,
) -> Terms:
    """Return what `position_terms` does, [B, K] each, with the logits of `chunk` positions at a time."""
    names, table_VD = [name for name in TERMS if name in wanted], table_VD.float()

    def terms_of(states_CD: Tensor, target_C: Tensor, *reference_CD: Tensor) -> tuple[Tensor, ...]:
        others = None
        if reference is not None:
            with torch.no_grad():
                others = reference.head(*reference_CD)
        found = position_terms(hidden.head(states_CD), target_C, table_VD, names, others)
        return tuple(found[name] for name in names)

    flat = [hidden.states_BKD.flatten(0, 1), target_BK.flatten()]
    flat += [] if reference is None else [reference.states_BKD.flatten(0, 1)]
    columns = in_chunks(terms_of, flat, chunk)
    return {name: column.view_as(target_BK) for name, column in zip(names, columns, strict=True)}


def in_chunks(
    function: Callable[..., tuple[Tensor, ...]], tensors: Sequence[Tensor], chunk: int
) -> list[Tensor]:
    """Return function(*tensors) for tensors [n, ...], `chunk` rows at a time; no piece keeps activations."""
    parts = [
        checkpoint(function, *piece, use_reentrant=False, preserve_rng_state=False)
        for piece in zip(*(torch.split(tensor, chunk) for tensor in tensors), strict=True)
    ]
    return [torch.cat(column) for column in zip(*parts, strict=True)]


def x_prediction_error(logits_BKV: Tensor, target_BK: Tensor, table_VD: Tensor) -> Tensor:
    """Return || softmax(z) W_in - e(x0) ||^2 for every position, `[B, K]` (Eq. 11-12)."""
    table_VD = table_VD.float()
    predicted_BKD = logits_BKV.float().softmax(-1) @ table_VD
    return (predicted_BKD - table_VD[target_BK]).square().sum(-1)


def plain_head(head: nn.Module) -> nn.Module:
    """Return an output head without its adapter, if it has one."""
    base: nn.Module = getattr(head, "base_layer", head)
    return base
