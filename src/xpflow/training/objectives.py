"""Corrupted sequences of the two architectures and the losses on them.

Legend: B rows, S canvas length, N response length, K read positions, V vocabulary, D embedding width.

LLaDA's loss (arXiv 2502.09992, Eq. 3) draws a mask ratio t and weights by 1/t. Pre-training uses its
lower-variance form: the *number* of masked response tokens is uniform on 1..N, stratified over the batch, and
the loss is the mean over the masked tokens of a row. It has the same minimiser and estimates the any-order
negative log-likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Corrupted:
    """A batch with masked response tokens: what the model is called with, and what it should say.

    `inputs` are keyword arguments of the model, whose logits are `[B, K, V]`; `target_BK` clean ids;
    `mask_BK` the masked positions; `response_BK` all response positions (K may cover a few prompt or padding
    tokens beside them).
    """

    inputs: dict[str, Tensor]
    target_BK: Tensor
    mask_BK: Tensor
    response_BK: Tensor

    def take(self, rows: list[int], device: torch.device) -> Corrupted:
        """Return some rows, on a device."""
        inputs = {name: value[rows].to(device) for name, value in self.inputs.items()}
        rest = (self.target_BK, self.mask_BK, self.response_BK)
        return Corrupted(inputs, *(value[rows].to(device) for value in rest))


def corrupt(
    config: Any, canvas_BS: Tensor, prompt_B: Tensor, length: int, generator: torch.Generator
) -> Corrupted:
    """Mask response tokens of clean right-padded canvases in the way the architecture is trained on.

    Args:
        config: of the model; with a `block_length` it is block-causal. canvas_BS: prompt, N response tokens,
        padding. prompt_B: prompt lengths. length: N. generator: source of the masks (CPU).
    """
    if getattr(config, "block_length", None):
        return _corrupt_blocks(config, canvas_BS, prompt_B, length, generator)
    positions_BN = prompt_B[:, None] + torch.arange(length)[None, :]
    target_BN = canvas_BS.gather(1, positions_BN)
    response_BN = torch.ones_like(target_BN, dtype=torch.bool)
    mask_BN = stratified_mask(response_BN, generator)
    noisy_BN = target_BN.masked_fill(mask_BN, config.mask_token_id)
    inputs = {
        "input_ids": canvas_BS.scatter(1, positions_BN, noisy_BN),
        "attention_mask": torch.arange(canvas_BS.shape[1])[None, :] < (prompt_B + length)[:, None],
        "logits_positions_BN": positions_BN,
    }
    return Corrupted(inputs, target_BN, mask_BN, response_BN)


def stratified_mask(candidates_BK: Tensor, generator: torch.Generator) -> Tensor:
    """Mask a uniform number (1..candidates of the row) of candidate positions, stratified over rows.

    Args:
        candidates_BK: bool, the positions that may be masked; every row has at least one.
    Returns:
        Bool tensor of the same shape.
    """
    rows, width = candidates_BK.shape
    strata = (torch.randperm(rows, generator=generator) + torch.rand(rows, generator=generator)) / rows
    total_B = candidates_BK.sum(-1)
    count_B = (strata * total_B).long().clamp(max=total_B - 1) + 1
    noise = torch.rand(rows, width, generator=generator).masked_fill(~candidates_BK, 2.0)
    rank_BK = noise.argsort(-1).argsort(-1)
    return (rank_BK < count_B[:, None]) & candidates_BK


def masked_cross_entropy(logits_BKV: Tensor, target_BK: Tensor, mask_BK: Tensor) -> Tensor:
    """Return the mean over rows of the mean cross-entropy (nats) at the positions of a mask."""
    ce_BK = F.cross_entropy(logits_BKV.flatten(0, 1).float(), target_BK.flatten(), reduction="none")
    return row_mean(ce_BK.view_as(target_BK), mask_BK)


def row_mean(values_BK: Tensor, mask_BK: Tensor) -> Tensor:
    """Return the mean over rows of each row's mean over a mask (rows without any count as 0)."""
    return row_means(values_BK, mask_BK).mean()


def row_means(values_BK: Tensor, mask_BK: Tensor) -> Tensor:
    """Return each row's mean over a mask, `[B]` (0 without any)."""
    return (values_BK * mask_BK).sum(-1) / mask_BK.sum(-1).clamp(min=1)


def x_prediction_error(logits_BKV: Tensor, target_BK: Tensor, table_VD: Tensor) -> Tensor:
    """Return || softmax(z) W_in - e(x0) ||^2 for every position, `[B, K]` (Eq. 11-12)."""
    table_VD = table_VD.float()
    predicted_BKD = logits_BKV.float().softmax(-1) @ table_VD
    return (predicted_BKD - table_VD[target_BK]).square().sum(-1)


def _corrupt_blocks(
    config: Any, canvas_BS: Tensor, prompt_B: Tensor, length: int, generator: torch.Generator
) -> Corrupted:
    """Block diffusion: every response block is predicted from its own noisy copy and the clean blocks before
    it.

    The sequence is the clean canvas followed by a noisy copy of the response's blocks at the same position
    ids (as BD3-LM trains, arXiv 2503.09573). Each block draws its own number of masks.
    """
    block = int(config.block_length)
    width = (-(-length // block) + 1) * block
    padded_BS = F.pad(canvas_BS, (0, width), value=config.pad_token_id)
    size = canvas_BS.shape[1]
    places_BK = (prompt_B // block * block)[:, None] + torch.arange(width)[None, :]
    target_BK = padded_BS.gather(1, places_BK)
    response_BK = (places_BK >= prompt_B[:, None]) & (places_BK < (prompt_B + length)[:, None])
    mask_BK = _mask_per_block(response_BK, block, generator)
    noisy_BK = target_BK.masked_fill(mask_BK, config.mask_token_id)
    positions = torch.cat((torch.arange(size).expand(len(prompt_B), -1), places_BK), dim=1)
    is_noisy_T = torch.arange(positions.shape[1]) >= size
    inputs = {
        "input_ids": torch.cat((canvas_BS, noisy_BK), dim=1),
        "position_ids": positions,
        "attention_mask": _two_copy_mask(positions // block, is_noisy_T),
        "logits_positions_BN": torch.arange(size, positions.shape[1]).expand(len(prompt_B), -1),
    }
    return Corrupted(inputs, target_BK, mask_BK, response_BK)


def _mask_per_block(candidates_BK: Tensor, block: int, generator: torch.Generator) -> Tensor:
    """Mask each block of each row with its own count; blocks without candidates stay as they are."""
    rows, width = candidates_BK.shape
    blocks = candidates_BK.reshape(rows * width // block, block)
    filled = blocks.any(-1)
    mask = torch.zeros_like(blocks)
    mask[filled] = stratified_mask(blocks[filled], generator)
    return mask.view(rows, width)


def _two_copy_mask(block_BT: Tensor, is_noisy_T: Tensor) -> Tensor:
    """Return the additive `[B, 1, T, T]` attention mask of the clean-and-noisy sequence."""
    query, key = block_BT[:, :, None], block_BT[:, None, :]
    query_noisy, key_noisy = is_noisy_T[None, :, None], is_noisy_T[None, None, :]
    from_noisy = torch.where(key_noisy, key == query, key < query)
    from_clean = ~key_noisy & (key <= query)
    allowed = torch.where(query_noisy, from_noisy, from_clean)
    return torch.zeros(allowed.shape).masked_fill(~allowed, float("-inf"))[:, None]
