"""A plain loop of the published LLaDA decoder, for comparison only: whole canvas, whole vocabulary, every
step.

Written from the description of LLaDA generate.py at temperature 0, with its left padding for batches. It uses
none of our state, blocks or batching. Not for use: `decode` gives the same tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


@torch.no_grad()
def official_loop(
    model: Any, prompts: Sequence[Sequence[int]], gen_length: int, steps: int, block_length: int
) -> Tensor:
    """Decode a batch with low-confidence remasking and return the response ids `[B, N]`.

    Prompts of different length are padded on the left and hidden by an attention mask, as upstream does.
    """
    mask_id, longest = model.config.mask_token_id, max(map(len, prompts))
    x = torch.full((len(prompts), longest + gen_length), mask_id)
    attention = torch.ones_like(x)
    for row, prompt in enumerate(prompts):
        pad = longest - len(prompt)
        x[row, :pad], attention[row, :pad] = model.config.pad_token_id, 0
        x[row, pad:longest] = torch.tensor(prompt)
    blocks = gen_length // block_length
    for block in range(blocks):
        start, end = longest + block * block_length, longest + (block + 1) * block_length
        quota_B = _quota(x[:, start:end] == mask_id, steps // blocks)
        for step in range(steps // blocks):
            masked = x == mask_id
            logits = model(input_ids=x, attention_mask=attention).logits
            x0 = logits.argmax(-1)
            p = torch.softmax(logits, dim=-1).gather(-1, x0[..., None])[..., 0]
            p[:, end:] = -torch.inf
            x0 = torch.where(masked, x0, x)
            confidence = torch.where(masked, p, -torch.inf)
            for row in range(len(prompts)):
                chosen = torch.topk(confidence[row], int(quota_B[row, step])).indices
                x[row, chosen] = x0[row, chosen]
    return x[:, longest:]


def _quota(masked_BK: Tensor, steps: int) -> Tensor:
    """Return how many tokens each step commits, `[B, steps]`."""
    masks_B1 = masked_BK.sum(-1, keepdim=True)
    return masks_B1 // steps + (torch.arange(steps) < masks_B1 % steps).long()
