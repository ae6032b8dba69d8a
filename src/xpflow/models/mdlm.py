"""MDLM: the bidirectional diffusion transformer of masked diffusion on text (arXiv 2406.07524).

Tensor names, shapes and numerical conventions are those of the published kuleshov-group/mdlm-owt, 170 M
parameters (modeling_mdlm.py), and of mdlm-no_flashattn-fp32-owt. Traps that are kept: norms have no bias, and
the residual stream stays fp32, also where projections are bf16; every block shifts, scales and gates by a
vector that a small net makes of the time, and the time is 0 whatever the input (`time_conditioning: false`);
one projection holds queries, keys and values in this order; cos and sin are rounded to the precision of the
queries; the head has a bias; logits keep the projections' precision. No id is hidden here: upstream gives the
mask no probability outside of the model, and so do we (docs/corpora.md). The mask is the last row of the
table, one behind GPT-2's ids. Position = array index.

fp32 is the published fp32 model. In bf16 upstream casts blocks and head (autocast) and leaves embedding,
norms and the time's net in fp32: that is training in bfloat16 here. Weights that are loaded in bf16 round
those three too. Upstream takes no padding: the key mask is ours.
Deviation: nothing is dropped in training (upstream: a tenth of what a block adds), since an update here
follows from its seed and number alone.
Not covered: time conditioning, a key-value cache.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PretrainedConfig

from xpflow.models.contract import MaskedLM, Seen, enter_auto
from xpflow.models.layers import (
    FeatureBlock,
    MaskedLMOutput,
    at_least_fp32,
    attend,
    rotary_tables,
    rotate,
    split_heads,
    take_positions,
)

BASE = 10_000.0  # of the rotary embedding
FREQUENCIES = 256  # cosines and sines of the time, half and half
MLP_RATIO = 4


class MDLMConfig(PretrainedConfig):  # type: ignore[no-untyped-call]
    """The published field names; defaults are mdlm-owt's. The last seven fields are ours.

    initializer_range: standard deviation of what upstream starts at zero, the modulations and the head: 0 is
    upstream's, and then a new model says nothing at all until it is trained.
    """

    model_type = "mdlm"
    attribute_map: ClassVar[dict[str, str]] = {
        "hidden_size": "hidden_dim",
        "num_hidden_layers": "n_blocks",
        "num_attention_heads": "n_heads",
        "max_position_embeddings": "model_length",
    }

    vocab_size: int = 50258
    model_length: int = 1024
    hidden_dim: int = 768
    cond_dim: int = 128
    n_blocks: int = 12
    n_heads: int = 12
    dropout: float = 0.1
    time_conditioning: bool = False
    tie_word_embeddings: bool = False
    initializer_range: float = 0.0
    bos_token_id: int | None = 50256
    eos_token_id: int | None = 50256
    pad_token_id: int | None = 50256
    mask_token_id: int = 50257
    eot_token_id: int | None = None
    suppress_token_ids: list[int] | None = None
    block_length: int | None = None


class Projection(nn.Linear):
    """A linear layer that works in its weights' precision, whatever its input has: what autocast does."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.to(self.weight.dtype))


class ZeroProjection(Projection):
    """A projection that starts at zero, or near it (`initializer_range`): modulations, and the head."""


class LayerNorm(nn.Module):
    """A layer norm without bias, in fp32 or wider, which is also the precision of its output."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x.to(at_least_fp32(x.dtype)), [x.shape[-1]]) * self.weight


class VocabEmbedding(nn.Module):
    """The table of input embeddings, under its published name `embedding`."""

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.empty(rows, width))

    @property
    def weight(self) -> Tensor:
        """Return the table, [V, D], under the name that everybody asks for."""
        return self.embedding

    def forward(self, ids: Tensor) -> Tensor:
        return F.embedding(ids, self.embedding)


class TimeMap(nn.Module):
    """The vector that modulates blocks, [1, C]: a net of the cosines and sines of time 0, and a SiLU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(Projection(FREQUENCIES, width), nn.SiLU(), Projection(width, width))

    def forward(self) -> Tensor:
        weight: Tensor = self.mlp[0].weight  # type: ignore[assignment]
        waves_1F = torch.ones(1, FREQUENCIES, device=weight.device, dtype=weight.dtype)
        waves_1F[:, FREQUENCIES // 2 :] = 0  # sin 0, behind cos 0
        with torch.autocast(weight.device.type, enabled=False):  # as upstream: only blocks and head are cast
            return F.silu(self.mlp(waves_1F))


class Rotary(nn.Module):
    """Holds the angles a position turns by, for the layout; see `MDLM.constants`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("inv_freq", frequencies(width))


def frequencies(width: int) -> Tensor:
    """Return the rotary frequencies of a head of `width` dimensions, [width / 2], in fp32."""
    return 1.0 / (BASE ** (torch.arange(0, width, 2, dtype=torch.float32) / width))


class MDLMBlock(nn.Module):
    """One block: bidirectional attention and an MLP, each normed, shifted and scaled before, gated after."""

    def __init__(self, config: MDLMConfig) -> None:
        super().__init__()
        width, inner, self.heads = config.hidden_dim, MLP_RATIO * config.hidden_dim, config.n_heads
        self.norm1 = LayerNorm(width)
        self.attn_qkv = Projection(width, 3 * width, bias=False)
        self.attn_out = Projection(width, width, bias=False)
        self.norm2 = LayerNorm(width)
        self.mlp = nn.Sequential(
            Projection(width, inner), nn.GELU(approximate="tanh"), Projection(inner, width)
        )
        self.adaLN_modulation = ZeroProjection(config.cond_dim, 6 * width)

    def forward(
        self,
        x_BSD: Tensor,
        time_1C: Tensor,
        cos_SR: Tensor,
        sin_SR: Tensor,
        mask: Tensor | None,
        positions_BN: Tensor | None,
    ) -> Tensor:
        """Return [B, S, D]; with `positions_BN` (given to the last block) only those positions' [B, N, D]."""
        shift_D, scale_D, gate_D, shift2_D, scale2_D, gate2_D = self.adaLN_modulation(time_1C)[0].chunk(6)
        x_BSD = x_BSD + gate_D * self.attention(
            modulated(self.norm1(x_BSD), shift_D, scale_D), cos_SR, sin_SR, mask
        )
        x_BND = take_positions(x_BSD, positions_BN)
        added_BND = self.mlp(modulated(self.norm2(x_BND), shift2_D, scale2_D))
        return x_BND + gate2_D * added_BND  # type: ignore[no-any-return]

    def attention(self, x_BSD: Tensor, cos_SR: Tensor, sin_SR: Tensor, mask: Tensor | None) -> Tensor:
        """Attend with queries and keys rotated in fp32, by rounded cos and sin, and cast back."""
        q_BHSK, k_BHSK, v_BHSK = (
            split_heads(part, self.heads) for part in self.attn_qkv(x_BSD).chunk(3, dim=-1)
        )
        narrow, wide = v_BHSK.dtype, at_least_fp32(v_BHSK.dtype)
        cos_SR, sin_SR = (table.to(narrow).to(wide) for table in (cos_SR, sin_SR))
        q_BHSK = rotate(q_BHSK.to(wide), cos_SR, sin_SR).to(narrow)
        k_BHSK = rotate(k_BHSK.to(wide), cos_SR, sin_SR).to(narrow)
        return self.attn_out(attend(q_BHSK, k_BHSK, v_BHSK, mask))  # type: ignore[no-any-return]


def modulated(x: Tensor, shift_D: Tensor, scale_D: Tensor) -> Tensor:
    """Return x (1 + scale) + shift."""
    return x * (1 + scale_D) + shift_D


class OutputLayer(nn.Module):
    """The last norm with its modulation, and the head."""

    def __init__(self, config: MDLMConfig) -> None:
        super().__init__()
        self.norm_final = LayerNorm(config.hidden_dim)
        self.linear = ZeroProjection(config.hidden_dim, config.vocab_size)
        self.adaLN_modulation = ZeroProjection(config.cond_dim, 2 * config.hidden_dim)

    def forward(self, x_BND: Tensor, time_1C: Tensor) -> Tensor:
        """Return what the head reads, [B, N, D]."""
        shift_D, scale_D = self.adaLN_modulation(time_1C)[0].chunk(2)
        return modulated(self.norm_final(x_BND), shift_D, scale_D)


class MDLMBackbone(nn.Module):
    """The module tree behind the published names `backbone.*`; MDLM runs it."""

    def __init__(self, config: MDLMConfig) -> None:
        super().__init__()
        self.vocab_embed = VocabEmbedding(config.vocab_size, config.hidden_dim)
        self.sigma_map = TimeMap(config.cond_dim)
        self.rotary_emb = Rotary(config.hidden_dim // config.n_heads)
        self.blocks = nn.ModuleList(MDLMBlock(config) for _ in range(config.n_blocks))
        self.output_layer = OutputLayer(config)


class MDLM(MaskedLM):  # type: ignore[no-untyped-call]
    """The diffusion transformer with its head, under the published class and tensor names.

    Logits have the projections' precision, hidden states fp32 or wider.
    """

    config: MDLMConfig
    config_class = MDLMConfig
    base_model_prefix = "mdlm"
    TABLE, HEAD = "backbone.vocab_embed", "backbone.output_layer.linear"
    _no_split_modules = ["MDLMBlock"]  # noqa: RUF012 (the base class declares it so)

    def build(self, config: MDLMConfig) -> None:
        """Make all modules."""
        self.backbone = MDLMBackbone(config)

    def turns(self, x_BSD: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """Return cos and sin [S, R]."""
        return turns(self.config, x_BSD)

    def embedded(self, input_ids: Tensor | None, inputs_embeds: Tensor | None) -> Tensor:
        """Return the start of the residual stream, [B, S, D], in fp32 or wider."""
        x_BSD = super().embedded(input_ids, inputs_embeds)
        return x_BSD.to(at_least_fp32(x_BSD.dtype))

    def run(self, x_BSD: Tensor, seen: Seen) -> MaskedLMOutput:
        """Run all blocks, the last one's MLP where states are wanted."""
        parts, told = self.backbone, (seen.cos_SR, seen.sin_SR, seen.mask)
        time_1C = parts.sigma_map()
        for block in parts.blocks[:-1]:
            x_BSD = block(x_BSD, time_1C, *told, None)
        x_BND = parts.blocks[-1](x_BSD, time_1C, *told, seen.places_BN)
        return MaskedLMOutput(hidden=parts.output_layer(x_BND, time_1C))

    def constants(self) -> dict[str, Tensor]:
        """Return the tensors of the layout that are no weights, with the values that a file must have."""
        return {"backbone.rotary_emb.inv_freq": frequencies(self.config.hidden_dim // self.config.n_heads)}

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        draw(module, self.config)


def turns(config: MDLMConfig, like_BSD: Tensor) -> tuple[Tensor, Tensor]:
    """Return cos and sin [S, R] of the positions of an input."""
    return rotary_tables(like_BSD.shape[1], config.hidden_dim // config.n_heads, BASE, like_BSD)


@torch.no_grad()
def draw(module: nn.Module, config: MDLMConfig) -> None:
    """Draw a module's own weights as upstream does: uniform by fan-in; modulations and head start at zero."""
    if isinstance(module, VocabEmbedding):
        nn.init.kaiming_uniform_(module.embedding, a=5**0.5)
    elif isinstance(module, LayerNorm):
        nn.init.ones_(module.weight)
    elif isinstance(module, ZeroProjection):
        nn.init.normal_(module.weight, std=config.initializer_range)
        nn.init.normal_(module.bias, std=config.initializer_range)
    elif isinstance(module, nn.Linear):
        module.reset_parameters()


class MDLMFeatureBlock(FeatureBlock):
    """One more block on the model's features, with a modulation and a norm of its own."""

    def __init__(self, config: MDLMConfig) -> None:
        super().__init__()
        self.config = config
        self.time, self.block = TimeMap(config.cond_dim), MDLMBlock(config)
        self.norm = LayerNorm(config.hidden_dim)

    def draw(self) -> None:
        """Draw all weights anew."""
        for module in self.modules():
            draw(module, self.config)

    def forward(self, features_BLD: Tensor) -> Tensor:
        """Return [B, L, D]."""
        cos_LR, sin_LR = turns(self.config, features_BLD)
        found: Tensor = self.norm(self.block(features_BLD, self.time(), cos_LR, sin_LR, None, None))
        return found


enter_auto(MDLMConfig, MDLM)
