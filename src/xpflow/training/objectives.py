"""Masked-diffusion training losses of the two architectures.

Legend: B rows, S canvas length, N response length, K noisy length (whole blocks that cover any response), V vocabulary.

LLaDA's loss (arXiv 2502.09992, Eq. 3) draws a mask ratio t and weights by 1/t. We use its lower-variance form: the
*number* of masked response tokens is uniform on 1..N, stratified over the batch, and the loss is the mean over the
masked tokens of a row. It has the same minimiser and estimates the any-order negative log-likelihood per token.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


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


def response_positions(prompt_B: Tensor, length: int) -> Tensor:
    """Return the absolute positions of the N response tokens of every row, `[B, N]`."""
    return prompt_B[:, None] + torch.arange(length)[None, :]


def masked_cross_entropy(logits_BNV: Tensor, target_BN: Tensor, mask_BN: Tensor) -> Tensor:
    """Return the mean over rows of the mean cross-entropy (nats) at masked positions."""
    ce_BN = F.cross_entropy(logits_BNV.flatten(0, 1).float(), target_BN.flatten(), reduction="none")
    ce_BN = ce_BN.view_as(target_BN) * mask_BN
    return (ce_BN.sum(-1) / mask_BN.sum(-1).clamp(min=1)).mean()


def bidirectional_loss(
    model: Any, canvas_BS: Tensor, prompt_B: Tensor, length: int, generator: torch.Generator
) -> tuple[Tensor, Any]:
    """Return LLaDA's masked-diffusion loss on a clean canvas (see the module for the weighting) and the output."""
    positions_BN = response_positions(prompt_B, length)
    target_BN = canvas_BS.gather(1, positions_BN)
    mask_BN = stratified_mask(torch.ones_like(target_BN, dtype=torch.bool), generator)
    noisy_BN = target_BN.masked_fill(mask_BN, model.config.mask_token_id)
    noisy_BS = canvas_BS.scatter(1, positions_BN, noisy_BN)
    valid_BS = torch.arange(canvas_BS.shape[1])[None, :] < (prompt_B + length)[:, None]
    out = model(input_ids=noisy_BS, attention_mask=valid_BS, logits_positions_BN=positions_BN)
    return masked_cross_entropy(out.logits, target_BN, mask_BN), out


def block_causal_loss(
    model: Any, canvas_BS: Tensor, prompt_B: Tensor, length: int, generator: torch.Generator
) -> tuple[Tensor, Any]:
    """Return block diffusion's loss, every response block from clean earlier blocks (BD3-LM, Eq. 8), and the output.

    The sequence is the clean canvas followed by a noisy copy of the response blocks at the same position ids. Noisy
    tokens see their own noisy block and the clean blocks before it; clean tokens see clean blocks up to their own.
    """
    block = int(model.config.block_length)
    width = (-(-length // block) + 1) * block
    clean_BS = F.pad(canvas_BS, (0, width), value=model.config.pad_token_id)
    size = clean_BS.shape[1]
    start_B = prompt_B // block * block
    places_BK = start_B[:, None] + torch.arange(width)[None, :]
    target_BK = clean_BS.gather(1, places_BK)
    is_response_BK = (places_BK >= prompt_B[:, None]) & (places_BK < (prompt_B + length)[:, None])
    mask_BK = _mask_per_block(is_response_BK, block, generator)
    noisy_BK = target_BK.masked_fill(mask_BK, model.config.mask_token_id)

    clean_ids_BS = clean_BS[:, : size - width]
    positions = torch.cat((torch.arange(size - width).expand(len(prompt_B), -1), places_BK), dim=1)
    is_noisy = torch.arange(positions.shape[1]) >= size - width
    out = model(
        input_ids=torch.cat((clean_ids_BS, noisy_BK), dim=1),
        position_ids=positions,
        attention_mask=_two_copy_mask(positions // block, is_noisy),
        logits_positions_BN=torch.arange(size - width, positions.shape[1]).expand(len(prompt_B), -1),
    )
    return masked_cross_entropy(out.logits, target_BK, mask_BK), out


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
