"""Building blocks that architectures share: norm, rotary embedding, attention, masks, output.

Shape letters: B batch, S sequence, N chosen positions, D model width, H heads, K head width, V vocabulary,
R rotated part of a head. The numerical conventions are those of the published models (modeling_llada.py and
modeling_llada2_moe.py): normalise in fp32, cast back, then multiply by the weight.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.utils.generic import ModelOutput

from xpflow.models.architectures import ARCHITECTURES


@dataclass
class MaskedLMOutput(ModelOutput):
    """What a model returns: `logits` [B, S, V] (or [B, N, V]) and, in training, the experts' load.

    Called with `head=False` it returns `hidden` [B, S, D] (or [B, N, D]), what the output head would read.
    """

    logits: Tensor | None = None
    hidden: Tensor | None = None
    router_load: Tensor | None = None  # [MoE layers, experts], tokens per expert in this forward


class RMSNorm(nn.Module):
    """Root-mean-square norm: fp32 inside, cast to the input's dtype, then times the weight."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        wide = x.to(at_least_fp32(x.dtype))
        normed = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return self.weight * normed.to(x.dtype)


class OutLinear(nn.Linear):
    """A projection that writes to the residual stream; a type of its own because it starts smaller."""


class FeatureBlock(nn.Module, ABC):
    """One more block of a model's kind on its features, [B, L, D] to normed [B, L, D]; for order heads."""

    @abstractmethod
    def draw(self) -> None:
        """Draw all weights anew, from the global random state."""


def at_least_fp32(dtype: torch.dtype) -> torch.dtype:
    """Return `dtype`, or float32 when it is narrower."""
    return torch.promote_types(dtype, torch.float32)


def initialise(module: nn.Module, embedding_std: float, layers: int) -> None:
    """Draw a module's own weights: fan-in scaled, smaller by sqrt(2 layers) where it feeds the residual."""
    if isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=embedding_std)
    elif isinstance(module, nn.Linear):
        shrink = (2 * layers) ** -0.5 if isinstance(module, OutLinear) else 1.0
        nn.init.normal_(module.weight, std=shrink * module.in_features**-0.5)
    elif isinstance(module, RMSNorm):
        nn.init.ones_(module.weight)


def rotary_tables(length: int, rotated: int, theta: float, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return cos and sin [S, R] in fp32 (or wider) for positions 0..length-1, NeoX half-rotation layout."""
    dtype = at_least_fp32(like.dtype)
    exponent_R2 = torch.arange(0, rotated, 2, device=like.device, dtype=dtype) / rotated
    angle_SR2 = torch.outer(torch.arange(length, device=like.device, dtype=dtype), theta**-exponent_R2)
    angle_SR = torch.cat((angle_SR2, angle_SR2), dim=-1)
    return angle_SR.cos(), angle_SR.sin()


def rotate(x_BHSK: Tensor, cos_SR: Tensor, sin_SR: Tensor) -> Tensor:
    """Rotate the first R of K head dimensions, in the dtype that `x` and the tables promote to."""
    rotated = cos_SR.shape[-1]
    part, rest = x_BHSK[..., :rotated], x_BHSK[..., rotated:]
    left, right = part.chunk(2, dim=-1)
    turned = part * cos_SR + torch.cat((-right, left), dim=-1) * sin_SR
    return turned if rest.shape[-1] == 0 else torch.cat((turned, rest.to(turned.dtype)), dim=-1)


def attend(q_BHSK: Tensor, k_BGSK: Tensor, v_BGSK: Tensor, mask: Tensor | None) -> Tensor:
    """Scaled dot-product attention; G key heads serve H query heads. Returns [B, S, H*K].

    `mask`: None, bool (True = may attend) or additive float, broadcastable to [B, H, S, S].
    """
    B, H, S, K = q_BHSK.shape
    if (groups := H // k_BGSK.shape[1]) > 1:
        k_BGSK, v_BGSK = (x.repeat_interleave(groups, dim=1) for x in (k_BGSK, v_BGSK))
    if mask is not None and mask.dtype != torch.bool:
        mask = mask.to(q_BHSK.dtype)
    plain = q_BHSK.requires_grad and q_BHSK.device.type == "cpu"
    kernel = plain_attention if plain else F.scaled_dot_product_attention
    out_BHSK: Tensor = kernel(q_BHSK, k_BGSK, v_BGSK, mask)
    return out_BHSK.transpose(1, 2).reshape(B, S, H * K)


def plain_attention(q_BHSK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor, mask: Tensor | None) -> Tensor:
    """Attention as two products and an fp32 softmax: on a CPU its backward beats SDPA's, by 2x in bf16."""
    score_BHSS = (q_BHSK @ k_BHSK.transpose(-1, -2)) * q_BHSK.shape[-1] ** -0.5
    score_BHSS = score_BHSS.to(at_least_fp32(q_BHSK.dtype))
    if mask is not None and mask.dtype == torch.bool:
        score_BHSS = score_BHSS.masked_fill(~mask, float("-inf"))
    elif mask is not None:
        score_BHSS = score_BHSS + mask
    attended_BHSK: Tensor = score_BHSS.softmax(-1).to(v_BHSK.dtype) @ v_BHSK
    return attended_BHSK


def split_heads(x_BSD: Tensor, heads: int) -> Tensor:
    """Turn [B, S, heads*K] into [B, heads, S, K]."""
    B, S, D = x_BSD.shape
    return x_BSD.view(B, S, heads, D // heads).transpose(1, 2)


def key_mask(attention_mask: Tensor | None) -> Tensor | None:
    """Turn a user's mask into one for `attend`: 2-D becomes bool [B, 1, 1, S], 4-D passes, None stays.

    A 2-D mask that hides nothing gives None, the same kernel as without a mask (not checked while compiling,
    where the answer would depend on data; the numbers are the same up to rounding).
    """
    if attention_mask is None or attention_mask.dim() == 4:
        return attention_mask
    if attention_mask.dim() != 2:
        raise ValueError(f"attention_mask must be 2-D or 4-D, found shape {tuple(attention_mask.shape)}")
    visible_BS = attention_mask.bool()
    if not torch.compiler.is_compiling() and bool(visible_BS.all()):
        return None
    return visible_BS[:, None, None, :]


def block_causal_mask(visible: Tensor | None, length: int, block: int, device: torch.device) -> Tensor | None:
    """Position i sees j iff j's block is not after i's; blocks are aligned to absolute position 0.

    `visible` is what `key_mask` returned: None, a bool key mask (combined; every query keeps itself, so that
    one in padding has something to attend to), or a 4-D mask, which replaces the block-causal one.
    """
    if visible is not None and visible.shape[-2] != 1:
        return visible
    if visible is not None and visible.dtype != torch.bool:
        return visible
    if length <= block:
        return visible
    block_S = torch.arange(length, device=device) // block
    causal_SS = block_S[None, :] <= block_S[:, None]
    if visible is None:
        return causal_SS[None, None]
    itself_SS = torch.eye(length, dtype=torch.bool, device=device)
    return (causal_SS & visible) | itself_SS


def take_positions(hidden_BSD: Tensor, positions_BN: Tensor | None) -> Tensor:
    """Return the hidden states at `positions_BN` as [B, N, D], or all of them when it is None."""
    if positions_BN is None:
        return hidden_BSD
    return hidden_BSD.gather(1, positions_BN.unsqueeze(-1).expand(-1, -1, hidden_BSD.shape[-1]))


def embed(table: nn.Module, input_ids: Tensor | None, inputs_embeds: Tensor | None) -> Tensor:
    """Return the input embeddings [B, S, D] from exactly one of ids and embeddings."""
    if (input_ids is None) == (inputs_embeds is None):
        raise ValueError("give exactly one of input_ids and inputs_embeds")
    if inputs_embeds is not None:
        return inputs_embeds
    embedded: Tensor = table(input_ids)
    return embedded


def require_supported(config: Any) -> None:
    """Raise ModelLoadError for a configuration that asks for what its architecture does not implement."""
    if (keys := ARCHITECTURES[config.model_type].keys) is not None:
        keys.checked(config.to_diff_dict(), f"the {config.model_type} configuration")
