"""Plain batch-1 transcriptions of the published decoders, written from their description, for token identity.

They see the whole canvas, the whole vocabulary and one row, and know nothing of our state, blocks or
batching.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Official:
    """Options of LLaDA's generate."""

    steps: int
    gen_length: int
    block_length: int
    temperature: float = 0.0
    remasking: str = "low_confidence"
    logits_eos_inf: bool = False
    confidence_eos_eot_inf: bool = False
    seed: int = 0
    stable_ties: bool = False


def top(confidence: Tensor, count: int, stable: bool) -> Tensor:
    """Return the indices of the `count` largest: torch.topk as upstream, or with ties to the lowest index."""
    if stable:
        return confidence.argsort(dim=-1, descending=True, stable=True)[:count]
    return torch.topk(confidence, count).indices


@torch.no_grad()
def llada_generate(model: Any, prompt: list[int], options: Official) -> list[int]:
    """LLaDA generate.py: quotas per block, low-confidence or random remasking, no early stop."""
    o, mask_id, size = options, model.config.mask_token_id, len(prompt)
    generator = torch.Generator().manual_seed(o.seed)
    x = torch.full((1, size + o.gen_length), mask_id)
    x[0, :size] = torch.tensor(prompt)
    blocks = o.gen_length // o.block_length
    steps = o.steps // blocks
    for block in range(blocks):
        start, end = size + block * o.block_length, size + (block + 1) * o.block_length
        masks = int((x[0, start:end] == mask_id).sum())
        quotas = [masks // steps + (1 if i < masks % steps else 0) for i in range(steps)]
        for step in range(steps):
            mask_index = x == mask_id
            logits = model(input_ids=x).logits
            if o.logits_eos_inf:
                logits[:, :, model.config.eos_token_id] = -torch.inf
            noised = logits
            if o.temperature > 0:
                noise = torch.rand(logits.shape, dtype=torch.float64, generator=generator)
                noised = logits.to(torch.float64).exp() / (-torch.log(noise)) ** o.temperature
            x0 = noised.argmax(-1)
            if o.confidence_eos_eot_inf:
                noised[:, :, model.config.eos_token_id] = -torch.inf
                logits[:, :, model.config.eot_token_id] = -torch.inf
            if o.remasking == "low_confidence":
                p = torch.softmax(logits, dim=-1).gather(-1, x0[..., None])[..., 0]
            else:
                p = torch.rand(x0.shape, generator=generator).to(logits.dtype)
            p[:, end:] = -torch.inf
            x0 = torch.where(mask_index, x0, x)
            p = torch.where(mask_index, p, -torch.inf)
            chosen = top(p[0], quotas[step], o.stable_ties)
            x[0, chosen] = x0[0, chosen]
    return x[0, size:].tolist()


@torch.no_grad()
def llada2_generate(
    model: Any, prompt: list[int], gen_length: int, steps: int, threshold: float, stable: bool = False
) -> tuple[list[int], int]:
    """LLaDA2.0 generate: blocks from absolute position 0, strict threshold or quota, stop after a block with
    EOS.

    Returns the new tokens cut to gen_length and then to the first EOS inclusive, and the forwards.
    """
    block_length, mask_id, eos = (
        model.config.block_length,
        model.config.mask_token_id,
        model.config.eos_token_id,
    )
    size, forwards = len(prompt), 0
    blocks = -(-(size + gen_length) // block_length)
    x = torch.full((1, blocks * block_length), mask_id)
    x[0, :size] = torch.tensor(prompt)
    quotas = [block_length // steps + (1 if i < block_length % steps else 0) for i in range(steps)]
    for block in range(size // block_length, blocks):
        window = x[:, : (block + 1) * block_length]
        for step in range(steps):
            active = window[0, -block_length:]
            open_ = active == mask_id
            if not bool(open_.any()):
                break
            logits = model(input_ids=window).logits[0, -block_length:]
            forwards += 1
            probabilities = logits.softmax(-1)
            x0 = logits.argmax(-1)
            p = torch.where(open_, probabilities.gather(-1, x0[:, None])[:, 0], -torch.inf)
            high = p > threshold
            if int(high.sum()) >= quotas[step]:
                chosen = high.nonzero()[:, 0]
            else:
                chosen = top(p, min(quotas[step], int(open_.sum())), stable)
            active[chosen] = x0[chosen]
        if bool((x[0, size : (block + 1) * block_length] == eos).any()):
            break
    new = x[0, size : size + gen_length].tolist()
    return (new[: new.index(eos) + 1] if eos in new else new), forwards


@torch.no_grad()
def fast_dllm_generate(
    model: Any, prompt: list[int], gen_length: int, block_length: int, threshold: float
) -> Tensor:
    """Fast-dLLM without caches: the best mask always, the others iff confidence >= threshold; float64
    softmax.

    Returns the new tokens with the number of forwards appended.
    """
    mask_id, size, forwards = model.config.mask_token_id, len(prompt), 0
    x = torch.full((1, size + gen_length), mask_id)
    x[0, :size] = torch.tensor(prompt)
    for end in range(size + block_length, size + gen_length + 1, block_length):
        while bool((x[0, :end] == mask_id).any()):
            logits = model(input_ids=x).logits[0]
            forwards += 1
            x0 = logits.argmax(-1)
            p = logits.to(torch.float64).softmax(-1).gather(-1, x0[:, None])[:, 0]
            open_ = x[0] == mask_id
            open_[end:] = False
            p = torch.where(open_, p, -torch.inf)
            chosen = (p >= threshold) & open_
            chosen[p.argmax()] = True
            x[0, chosen] = x0[chosen]
    return torch.cat((x[0, size:], torch.tensor([forwards])))
