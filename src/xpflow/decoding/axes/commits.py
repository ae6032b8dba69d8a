"""Which masks become tokens: pure functions from confidences to a bool mask `[B, M]`.

Every rule takes confidences that are -inf where a position takes no part, and never chooses such a
position. Sources and equations: decoders that use a rule name them. Legend: c confidence, H entropy, M
positions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from xpflow.decoding.blocks import Block
from xpflow.decoding.entry import TieBreak
from xpflow.decoding.tokens import most_confident


def above(c_BM: Tensor, bound: float | Tensor, strict: bool = True) -> Tensor:
    """Return where c > bound, or c >= bound."""
    return (c_BM > bound) if strict else (c_BM >= bound) & (c_BM > -torch.inf)


def first_ranks(score_BM: Tensor, able_BM: Tensor, count_B: Tensor) -> Tensor:
    """Return the `count_B` able positions of highest score in each row; ties go to the lowest index."""
    order_BM = score_BM.masked_fill(~able_BM, -torch.inf).argsort(dim=-1, descending=True, stable=True)
    within_BM = torch.arange(order_BM.shape[1], device=order_BM.device) < count_B[:, None]
    return torch.zeros_like(able_BM).scatter_(1, order_BM, within_BM) & able_BM


def by_factor(c_BM: Tensor, factor: float, exempt_last: bool = False) -> Tensor:
    """Return the largest prefix, most confident first, in which (k + 1)(1 - c_(k)) <= factor for every k.

    exempt_last: the last mask of a row goes too where all before it do, of which the first always does (the
    public code): of two masks both go.
    """
    able_BM = c_BM > -torch.inf
    sorted_BM = c_BM.sort(dim=-1, descending=True, stable=True).values
    k_M = torch.arange(1, c_BM.shape[1] + 1, device=c_BM.device)
    fits_BM = ((k_M + 1) * (1 - sorted_BM) <= factor) & (sorted_BM > -torch.inf)
    count_B = fits_BM.cumprod(-1).sum(-1)
    if exempt_last:
        count_B = count_B.clamp(min=1)
        count_B = count_B + (count_B == able_BM.sum(-1) - 1)
    return first_ranks(c_BM, able_BM, count_B)


def by_entropy(score_BM: Tensor, entropy_BM: Tensor, able_BM: Tensor, budget: float) -> Tensor:
    """Return the largest prefix, highest score first, whose entropies fit a budget, the largest aside.

    sum_{j<=k} H_(j) - max_{j<=k} H_(j) <= budget, which never falls with k. In nats.
    """
    order_BM = score_BM.masked_fill(~able_BM, -torch.inf).argsort(dim=-1, descending=True, stable=True)
    sorted_BM, able = entropy_BM.gather(1, order_BM), able_BM.gather(1, order_BM)
    spent_BM = sorted_BM.cumsum(-1) - sorted_BM.cummax(-1).values
    count_B = ((spent_BM <= budget) & able).cumprod(-1).sum(-1)
    return first_ranks(score_BM, able_BM, count_B)


def leftmost(able_BM: Tensor, fits_BM: Tensor) -> Tensor:
    """Return the masks from the left as long as each fits; the first one always."""
    failed_BM = (able_BM & ~fits_BM).cumsum(-1)
    first_BM = able_BM & (able_BM.cumsum(-1) == 1)
    return (able_BM & (failed_BM == 0)) | first_BM


def by_round(block: Block, able_BM: Tensor, base: int) -> Tensor:
    """Return the masks of the earliest round of a fixed order that has any.

    Round r = 1, 2, ... of a block of b places takes those whose number in it is a multiple of b / base^r.
    """
    place_BM = block.positions_BM - block.positions_BM[:, :1]
    if not block.absolute:
        place_BM = block.offset_BM % block.length
    round_BM, stride, number = torch.full_like(place_BM, -1), block.length, 0
    while stride > 1:
        stride, number = -(-stride // base), number + 1
        round_BM = torch.where((round_BM < 0) & (place_BM % stride == 0), number, round_BM)
    round_BM = torch.where(round_BM < 0, 1, round_BM).masked_fill(~able_BM, number + 1)
    return able_BM & (round_BM == round_BM.min(-1, keepdim=True).values)


def no_more_than(chosen_BM: Tensor, c_BM: Tensor, limit_B: Tensor) -> Tensor:
    """Return the `limit_B` most confident of what was chosen."""
    return first_ranks(c_BM, chosen_BM, limit_B)


def at_least(
    chosen_BM: Tensor, c_BM: Tensor, count: int | Tensor, tie_break: TieBreak, block: Block
) -> Tensor:
    """Return what was chosen and the `count` most confident."""
    return chosen_BM | most_confident(c_BM, count, tie_break, block)


def or_else(chosen_BM: Tensor, other_BM: Tensor) -> Tensor:
    """Return what was chosen; in rows where that is nothing, the other choice."""
    return torch.where(chosen_BM.any(-1, keepdim=True), chosen_BM, other_BM)
