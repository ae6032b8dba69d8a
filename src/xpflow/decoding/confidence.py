"""Predictions and confidences from logits, and the choice of the most confident positions.

Legend: K positions read, M positions of a block, V vocabulary. Upstream's softmax runs in the dtype of the
logits (bf16 at full scale, where every p >= 0.998 rounds to 1) and its torch.topk has no defined order among
equals; both are settings here. Source: LLaDA generate.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import ModelFacts
from xpflow.decoding.settings import DecodeSettings, TieBreak

DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True, slots=True)
class Prediction:
    """Token ids and their confidences; -inf where a position takes no part."""

    ids: Tensor
    confidence: Tensor


def suppressed_ids(settings: DecodeSettings, facts: ModelFacts) -> list[int]:
    """Return the ids that may never be predicted under these settings."""
    ids = set()
    if settings.suppress != "none":
        ids.add(facts.mask_id)
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
