"""Plain loops of the published decoders, for comparison only: whole window, whole vocabulary, every step.

Written from the descriptions of LLaDA generate.py and LLaDA2.0 generate at temperature 0. They use none of
our state, blocks or batching. Not for use: `decode` gives the same tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


@torch.no_grad()
def official_loop(
    model: Any,
    prompts: Sequence[Sequence[int]],
    gen_length: int,
    steps: int,
    block_length: int,
    confidence_dtype: torch.dtype | None = None,
) -> Tensor:
    """Decode a batch with low-confidence remasking; returns the response ids `[B, N]`, on the model's device.

    Prompts of different length are padded on the left and hidden by an attention mask, as upstream does.
    `confidence_dtype`: of the softmax; None: that of the logits.
    """
    mask_id, longest = model.config.mask_token_id, max(map(len, prompts))
    x = torch.full((len(prompts), longest + gen_length), mask_id)
    attention = torch.ones_like(x)
    for row, prompt in enumerate(prompts):
        pad = longest - len(prompt)
        x[row, :pad], attention[row, :pad] = model.config.pad_token_id, 0
        x[row, pad:longest] = torch.tensor(prompt)
    device = model.get_input_embeddings().weight.device
    x, attention = x.to(device), attention.to(device)
    blocks = gen_length // block_length
    for block in range(blocks):
        start, end = longest + block * block_length, longest + (block + 1) * block_length
        quota_B = _quota(x[:, start:end] == mask_id, steps // blocks)
        for step in range(steps // blocks):
            masked = x == mask_id
            logits = model(input_ids=x, attention_mask=attention).logits
            x0, p = _predict(logits, confidence_dtype)
            p[:, end:] = -torch.inf
            x0 = torch.where(masked, x0, x)
            confidence = torch.where(masked, p, -torch.inf)
            for row in range(len(prompts)):
                chosen = torch.topk(confidence[row], int(quota_B[row, step])).indices
                x[row, chosen] = x0[row, chosen]
    return x[:, longest:]


@torch.no_grad()
def official_block_loop(
    model: Any,
    prompt: Sequence[int],
    gen_length: int,
    steps: int,
    confidence_dtype: torch.dtype | None = None,
) -> Tensor:
    """Decode one prompt with a block-causal model, at most `steps` forwards a block; returns ids `[1, N]`.

    A threshold that is never reached: each step commits its quota. After a block with an EOS it stops, and
    everything behind the first EOS is EOS, as `decode` fills up.
    """
    block, mask_id, eos = model.config.block_length, model.config.mask_token_id, model.config.eos_token_id
    size, device = len(prompt), model.get_input_embeddings().weight.device
    x = torch.full((1, -(-(size + gen_length) // block) * block), mask_id, device=device)
    x[0, :size] = torch.tensor(prompt, device=device)
    quotas = [block // steps + (step < block % steps) for step in range(steps)]
    for end in range((size // block + 1) * block, x.shape[1] + 1, block):
        active = x[0, end - block : end]
        for quota in quotas:
            opened = int((active == mask_id).sum())
            if not opened:
                break
            logits = model(input_ids=x[:, :end]).logits[:, -block:]
            x0, p = _predict(logits, confidence_dtype)
            confidence = torch.where(active == mask_id, p[0], -torch.inf)
            chosen = torch.topk(confidence, min(quota, opened)).indices
            active[chosen] = x0[0, chosen]
        if bool((x[0, size:end] == eos).any()):
            break
    new = x[:, size : size + gen_length]
    return new.masked_fill((new == eos).cumsum(-1) > 0, eos)


def _predict(logits_BSV: Tensor, dtype: torch.dtype | None) -> tuple[Tensor, Tensor]:
    """Return the argmax and its probability, `[B, S]` each."""
    x0_BS = logits_BSV.argmax(-1)
    p_BSV = torch.softmax(logits_BSV.to(dtype or logits_BSV.dtype), dim=-1)
    return x0_BS, p_BSV.gather(-1, x0_BS[..., None])[..., 0]


def _quota(masked_BK: Tensor, steps: int) -> Tensor:
    """Return how many tokens each step commits, `[B, steps]`."""
    masks_B1 = masked_BK.sum(-1, keepdim=True)
    return masks_B1 // steps + (torch.arange(steps, device=masks_B1.device) < masks_B1 % steps).long()
