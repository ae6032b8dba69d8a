"""What a loss or a curve measures at every position, from logits that need not exist all at once.

Legend: B rows, K read positions, C positions of a chunk, V vocabulary, D embedding width.

Logits of the 8 B model are 126,464 wide: those of 32 rows of 512 positions are 8 GB in fp32, and a loss on
them holds several tensors of that size. `chunked_terms` keeps the hidden states instead, applies the head to
`chunk` positions at a time and does so again in the backward pass (torch.utils.checkpoint), so that the
largest tensor is [C, V]. Both ways give the same numbers up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from xpflow.training.objectives import x_prediction_error

Terms = dict[str, Tensor]
TERMS = ("error", "ce", "kl", "right")


@dataclass(frozen=True, slots=True)
class Hidden:
    """Hidden states [B, K, D] and the head that makes logits of them."""

    states_BKD: Tensor
    head: Callable[[Tensor], Tensor]


def position_terms(
    logits: Tensor, target: Tensor, table_VD: Tensor, wanted: Collection[str], reference: Tensor | None = None
) -> Terms:
    """Return the wanted terms of every position, each of the shape of `target`.

    Args:
        logits: [..., V]. target: clean ids [...]. table_VD: W_in, a constant. wanted: names of TERMS: "error"
        ||softmax(z) W_in - e(x0)||^2 (Eq. 11-12), "ce" cross-entropy (nats), "kl" KL(reference || model)
        (nats), "right" 1 where the argmax is the target. reference: logits [..., V] that "kl" needs.
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

    def terms_of(states_CD: Tensor, target_C: Tensor, reference_CD: Tensor | None) -> tuple[Tensor, ...]:
        others = None
        if reference is not None and reference_CD is not None:
            with torch.no_grad():
                others = reference.head(reference_CD)
        found = position_terms(hidden.head(states_CD), target_C, table_VD, names, others)
        return tuple(found[name] for name in names)

    parts = [
        checkpoint(terms_of, *piece, use_reentrant=False, preserve_rng_state=False)
        for piece in zip(
            torch.split(hidden.states_BKD.flatten(0, 1), chunk),
            torch.split(target_BK.flatten(), chunk),
            _pieces(reference, target_BK.numel(), chunk),
            strict=True,
        )
    ]
    columns = zip(*parts, strict=True)
    return {name: torch.cat(column).view_as(target_BK) for name, column in zip(names, columns, strict=True)}


def plain_head(head: nn.Module) -> nn.Module:
    """Return an output head without its adapter, if it has one."""
    base: nn.Module = getattr(head, "base_layer", head)
    return base


def _pieces(reference: Hidden | None, positions: int, chunk: int) -> list[Tensor | None]:
    if reference is None:
        return [None] * -(-positions // chunk)
    return list(torch.split(reference.states_BKD.flatten(0, 1), chunk))
