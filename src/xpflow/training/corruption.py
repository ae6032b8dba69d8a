"""Corrupted sequences, laid out as each of the two architectures reads them in training.

Legend: B rows, S canvas length, N response length, K read positions, T length of clean and noisy copy.

A dense model reads one canvas in which response tokens are replaced by noise. A block-causal one reads the
clean canvas and, after it, a noisy copy of the response's blocks at the same position ids: every block is
predicted from its own noisy copy and the clean blocks before it (as BD3-LM trains, arXiv 2503.09573).

LLaDA's loss (arXiv 2502.09992, Eq. 3) draws a mask ratio t and weights by 1/t. Here, in its lower-variance
form, the *number* of masked response tokens is uniform on 1..N, stratified over the batch (a block-causal
model: over all blocks), and a loss is the mean over the masked tokens of a row. It has the same minimiser and
estimates the any-order negative log-likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from xpflow.errors import ConfigError
from xpflow.noise import noise_of
from xpflow.training.examples import Batch


@dataclass(frozen=True, slots=True)
class Corrupted:
    """What the model is called with, and what it should say at the K positions that are read.

    `inputs` are keyword arguments of the model, whose logits are `[B, K, V]`; `target_BK` clean ids;
    `mask_BK` the corrupted positions; `response_BK` all response positions (K may cover a few prompt or
    padding tokens beside them). `draws` holds whatever else an objective drew, one entry per row: noise,
    times, orders.
    """

    inputs: dict[str, Tensor]
    target_BK: Tensor
    mask_BK: Tensor
    response_BK: Tensor
    draws: dict[str, Tensor] = field(default_factory=dict)

    @property
    def ids_BK(self) -> Tensor:
        """Return the ids that stand at the read positions, corrupted or not."""
        return self.inputs["input_ids"].gather(1, self.inputs["logits_positions_BN"])

    @property
    def clean_BK(self) -> Tensor:
        """Return the response positions that are not corrupted."""
        return self.response_BK & ~self.mask_BK

    def take(self, rows: list[int], device: torch.device) -> Corrupted:
        """Return some rows, on a device."""
        tensors = (self.target_BK, self.mask_BK, self.response_BK)
        target_BK, mask_BK, response_BK = (value[rows].to(device) for value in tensors)
        inputs, draws = (
            {name: value[rows].to(device) for name, value in values.items()}
            for values in (self.inputs, self.draws)
        )
        return Corrupted(inputs, target_BK, mask_BK, response_BK, draws)

    def reading(self, ids_BK: Tensor, mask_BK: Tensor, **draws: Tensor) -> Corrupted:
        """Return the same sequences with other ids at the read positions, corrupted where `mask_BK` says."""
        positions_BK = self.inputs["logits_positions_BN"]
        ids = self.inputs["input_ids"].scatter(1, positions_BK, ids_BK)
        inputs = {**self.inputs, "input_ids": ids}
        return replace(self, inputs=inputs, mask_BK=mask_BK, draws={**self.draws, **draws})


def masked(batch: Batch, model: Any, generator: torch.Generator) -> Corrupted:
    """Return a batch with hard-masked response tokens: the corruption that both architectures were born with.

    Args:
        model: anything with the model's `config`. generator: source of the masks (CPU).
    """
    clean = laid_out(batch, model)
    mask_BK = draw_masks(clean, model, generator)
    return clean.reading(noisy_ids(model, clean.target_BK, mask_BK, generator), mask_BK)


def noisy_ids(
    model: Any, ids_BK: Tensor, mask_BK: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """Return ids with the model's noise where a mask says; of several mask ids, each place draws its own.

    Raises:
        ConfigError: the model's noise is no token, so that its objective must corrupt embeddings.
    """
    noise = noise_of(model.config).ids
    if not noise:
        raise ConfigError(
            "this model's noise is no token, so nothing can be hard-masked",
            hint="train it with an objective whose `corrupt` makes noise of its own",
        )
    if len(noise) == 1:
        return ids_BK.masked_fill(mask_BK, noise[0])
    drawn_BK = torch.randint(len(noise), ids_BK.shape, generator=generator)
    masks_BK = torch.tensor(noise)[drawn_BK].to(ids_BK.device)
    return torch.where(mask_BK, masks_BK, ids_BK)


def laid_out(batch: Batch, model: Any) -> Corrupted:
    """Return clean sequences as the model's architecture reads them, nothing corrupted yet."""
    if block_length(model):
        return _two_copies(batch, model)
    canvas_BS, prompt_B, length = batch.canvas_BS, batch.prompt_B, batch.length
    positions_BN = prompt_B[:, None] + torch.arange(length)[None, :]
    target_BN = canvas_BS.gather(1, positions_BN)
    inputs = {
        "input_ids": canvas_BS,
        "attention_mask": torch.arange(canvas_BS.shape[1])[None, :] < (prompt_B + length)[:, None],
        "logits_positions_BN": positions_BN,
    }
    return Corrupted(inputs, target_BN, torch.zeros_like(target_BN).bool(), torch.ones_like(target_BN).bool())


def block_length(model: Any) -> int:
    """Return the block length of a block-causal model, 0 of a dense one."""
    return int(getattr(model.config, "block_length", None) or 0)


def draw_masks(clean: Corrupted, model: Any, generator: torch.Generator) -> Tensor:
    """Draw which response positions are corrupted, [B, K]: a count per row, or per block of each row."""
    candidates_BK, block = clean.response_BK, block_length(model)
    if not block:
        return stratified_mask(candidates_BK, generator)
    rows, width = candidates_BK.shape
    blocks = candidates_BK.reshape(rows * width // block, block)
    filled = blocks.any(-1)
    mask = torch.zeros_like(blocks)
    mask[filled] = stratified_mask(blocks[filled], generator)
    return mask.view(rows, width)


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


def _two_copies(batch: Batch, model: Any) -> Corrupted:
    """Lay out the clean canvas followed by a second copy of the response's blocks, which is what is read."""
    block, canvas_BS, prompt_B, length = block_length(model), batch.canvas_BS, batch.prompt_B, batch.length
    width = (-(-length // block) + 1) * block
    padded_BS = F.pad(canvas_BS, (0, width), value=model.config.pad_token_id)
    size = canvas_BS.shape[1]
    places_BK = (prompt_B // block * block)[:, None] + torch.arange(width)[None, :]
    target_BK = padded_BS.gather(1, places_BK)
    response_BK = (places_BK >= prompt_B[:, None]) & (places_BK < (prompt_B + length)[:, None])
    positions_BT = torch.cat((torch.arange(size).expand(len(prompt_B), -1), places_BK), dim=1)
    is_noisy_T = torch.arange(positions_BT.shape[1]) >= size
    inputs = {
        "input_ids": torch.cat((canvas_BS, target_BK), dim=1),
        "position_ids": positions_BT,
        "attention_mask": _two_copy_mask(positions_BT // block, is_noisy_T),
        "logits_positions_BN": torch.arange(size, positions_BT.shape[1]).expand(len(prompt_B), -1),
    }
    return Corrupted(inputs, target_BK, torch.zeros_like(response_BK), response_BK)


def _two_copy_mask(block_BT: Tensor, is_noisy_T: Tensor) -> Tensor:
    """Return the additive `[B, 1, T, T]` attention mask of the clean-and-noisy sequence."""
    query, key = block_BT[:, :, None], block_BT[:, None, :]
    query_noisy, key_noisy = is_noisy_T[None, :, None], is_noisy_T[None, None, :]
    from_noisy = torch.where(key_noisy, key == query, key < query)
    from_clean = ~key_noisy & (key <= query)
    allowed = torch.where(query_noisy, from_noisy, from_clean)
    return torch.zeros(allowed.shape).masked_fill(~allowed, float("-inf"))[:, None]
