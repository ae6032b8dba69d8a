"""LLaDA2: a block-causal masked diffusion language model with a mixture of experts (LLaDA2.0-mini, micro).

Tensor names, shapes and numerical conventions are those of the published inclusionAI/LLaDA2.0 checkpoints
(modeling_llada2_moe.py): fused query_key_value with grouped queries, a norm on each query and key head before
the rotary embedding, which turns the first `partial_rotary_factor` of a head in the activation's dtype (cos
and sin are computed in fp32); the router works in fp32; logits are cast to fp32; no shift.
Deviation: without a 4-D mask the block-causal mask is built here from `config.block_length`, aligned to
absolute position 0 (upstream's generate builds it outside).
A block-causal key-value cache (cache.py) makes decoding a block cost a forward over that block.
Not covered: sliding window, RoPE scaling, dropout, biases (unused by the published weights).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig

from xpflow.models.cache import BlockCache, CacheWindow
from xpflow.models.contract import MaskedLM, Seen, at_positions, enter_auto
from xpflow.models.layers import (
    MaskedLMOutput,
    OutLinear,
    RMSNorm,
    at_least_fp32,
    attend,
    block_causal_mask,
    initialise,
    key_mask,
    rotary_tables,
    rotate,
    split_heads,
    take_positions,
)
from xpflow.models.moe import GatedMLP, Router, SparseMoE

Keep = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # keys and values in, all that may be seen out


class LLaDA2MoeConfig(PretrainedConfig):  # type: ignore[no-untyped-call]
    """The published field names, with LLaDA2.0-mini's values; the decoders read the last five."""

    model_type = "llada2_moe"

    vocab_size: int = 157184
    hidden_size: int = 2048
    intermediate_size: int = 5120
    num_hidden_layers: int = 20
    num_attention_heads: int = 16
    num_key_value_heads: int = 4
    head_dim: int | None = 128
    first_k_dense_replace: int = 1
    moe_intermediate_size: int = 512
    num_experts: int = 256
    num_experts_per_tok: int = 8
    num_shared_experts: int = 1
    n_group: int = 8
    topk_group: int = 4
    norm_topk_prob: bool = True
    routed_scaling_factor: float = 2.5
    partial_rotary_factor: float = 0.5
    rope_theta: float = 600000.0
    rms_norm_eps: float = 1e-6
    max_position_embeddings: int = 32768
    initializer_range: float = 0.02
    use_cache: bool = False
    tie_word_embeddings: bool = False
    bos_token_id: int | None = 156891
    eos_token_id: int | None = 156892
    pad_token_id: int | None = 156892
    mask_token_id: int = 156895  # not in the published config.json, only in its tokenizer
    eot_token_id: int | None = None  # <|role_end|>: left to the tokenizer
    suppress_token_ids: list[int] | None = None
    block_length: int = 32


class LLaDA2Attention(nn.Module):
    """Grouped-query attention with normed and partly rotated heads."""

    def __init__(self, config: LLaDA2MoeConfig) -> None:
        super().__init__()
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        head = head_width(config)
        rows = (self.heads + 2 * self.kv_heads) * head
        self.query_key_value = nn.Linear(config.hidden_size, rows, bias=False)
        self.query_layernorm = RMSNorm(head, config.rms_norm_eps)
        self.key_layernorm = RMSNorm(head, config.rms_norm_eps)
        self.dense = OutLinear(self.heads * head, config.hidden_size, bias=False)

    def forward(
        self, x_BSD: Tensor, cos_SR: Tensor, sin_SR: Tensor, mask: Tensor | None, keep: Keep | None = None
    ) -> Tensor:
        """Attend; `keep` puts keys and values into a cache and returns all that may be seen."""
        fused_BHSK = split_heads(self.query_key_value(x_BSD), self.heads + 2 * self.kv_heads)
        q_BHSK, k_BGSK, v_BGSK = fused_BHSK.tensor_split([self.heads, self.heads + self.kv_heads], dim=1)
        q_BHSK, k_BGSK = self.query_layernorm(q_BHSK), self.key_layernorm(k_BGSK)
        cos_SR, sin_SR = cos_SR.to(q_BHSK.dtype), sin_SR.to(q_BHSK.dtype)
        q_BHSK, k_BGSK = rotate(q_BHSK, cos_SR, sin_SR), rotate(k_BGSK, cos_SR, sin_SR)
        k_BGSK = k_BGSK.to(v_BGSK.dtype)
        if keep is not None:
            k_BGSK, v_BGSK = keep(k_BGSK, v_BGSK)
        attended_BSD = attend(q_BHSK.to(v_BGSK.dtype), k_BGSK, v_BGSK, mask)
        return self.dense(attended_BSD)  # type: ignore[no-any-return]


class LLaDA2Layer(nn.Module):
    """One layer: attention, then the dense MLP (first layers) or the mixture of experts."""

    def __init__(self, config: LLaDA2MoeConfig, index: int) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.attention = LLaDA2Attention(config)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        dense = index < config.first_k_dense_replace
        self.mlp: GatedMLP | SparseMoE
        self.mlp = GatedMLP(config.hidden_size, config.intermediate_size) if dense else SparseMoE(config)

    def forward(
        self,
        x_BSD: Tensor,
        cos_SR: Tensor,
        sin_SR: Tensor,
        mask: Tensor | None,
        positions_BN: Tensor | None,
        keep: Keep | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Return [B, S, D] and the experts' load; `positions_BN` (last layer) keeps only [B, N, D]."""
        x_BSD = x_BSD + self.attention(self.input_layernorm(x_BSD), cos_SR, sin_SR, mask, keep)
        x_BND = take_positions(x_BSD, positions_BN)
        normed_BND, load_E = self.post_attention_layernorm(x_BND), None
        if isinstance(self.mlp, SparseMoE):
            out_BND, load_E = self.mlp(normed_BND)
        else:
            out_BND = self.mlp(normed_BND)
        return x_BND + out_BND, load_E


class LLaDA2Stack(nn.Module):
    """The module tree behind the published names `model.*`; LLaDA2MoeModelLM runs it."""

    def __init__(self, config: LLaDA2MoeConfig) -> None:
        super().__init__()
        self.word_embeddings: nn.Module = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(LLaDA2Layer(config, i) for i in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class LLaDA2MoeModelLM(MaskedLM):  # type: ignore[no-untyped-call]
    """LLaDA2 with its output head, under the published class and tensor names; logits in fp32 or wider."""

    config: LLaDA2MoeConfig
    config_class = LLaDA2MoeConfig
    TABLE, HEAD = "model.word_embeddings", "lm_head"
    _no_split_modules = ["LLaDA2Layer"]  # noqa: RUF012 (the base class declares it so)

    def build(self, config: LLaDA2MoeConfig) -> None:
        """Make all modules."""
        self.model = LLaDA2Stack(config)
        self.lm_head: nn.Module = nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    def turns(self, x_BSD: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """Return cos and sin [S, R] of the part of a head that is turned."""
        rotated = int(head_width(self.config) * self.config.partial_rotary_factor)
        return rotary_tables(length, rotated, self.config.rope_theta, x_BSD)

    def visible(self, attention_mask: Tensor | None, length: int, like: Tensor) -> Tensor | None:
        """Return the block-causal mask, under which a caller's 2-D one is; a 4-D one replaces it."""
        return block_causal_mask(key_mask(attention_mask), length, self.config.block_length, like.device)

    def logits(self, hidden_BND: Tensor) -> Tensor:
        """Return what the head says, in fp32 or wider."""
        found = super().logits(hidden_BND)
        return found.to(at_least_fp32(found.dtype))

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        logits_positions_BN: Tensor | None = None,
        position_ids: Tensor | None = None,
        head: bool = True,
        cache: CacheWindow | None = None,
    ) -> MaskedLMOutput:
        """Return logits as `MaskedLM.forward` does.

        `position_ids` come from training on a clean and a noisy copy. In training, `router_load`
        [MoE layers, E] counts tokens per expert (in the last layer of those at `logits_positions_BN`, where
        alone it runs).

        With `cache` (from `new_cache(...).window(...)`) the inputs [B, W] are the window's positions only;
        what they attend to before it comes from the cache. Masks and `position_ids` must be None then, and
        `logits_positions_BN` counts from the window's start.
        """
        if cache is None:
            given = (input_ids, attention_mask, inputs_embeds, logits_positions_BN, position_ids)
            return super().forward(*given, head)
        if attention_mask is not None or position_ids is not None:
            raise ValueError("a cache brings its own positions and mask: give neither")
        x_BSD = self.embedded(input_ids, inputs_embeds)
        cos_SR, sin_SR = at_positions(self.turns(x_BSD, cache.end), cache.positions_BW)
        mask = cache.mask(self.config.block_length)
        return self.told(self.run(x_BSD, Seen(cos_SR, sin_SR, mask, logits_positions_BN, cache)), head)

    def run(self, x_BSD: Tensor, seen: Seen) -> MaskedLMOutput:
        """Run all layers, the last one's MLP where states are wanted; tell the experts' load."""
        loads: list[Tensor] = []
        last = len(self.model.layers) - 1
        for index, layer in enumerate(self.model.layers):
            places_BN = seen.places_BN if index == last else None
            keep = None if seen.cache is None else partial(seen.cache.extend, index)
            x_BSD, load_E = layer(x_BSD, seen.cos_SR, seen.sin_SR, seen.mask, places_BN, keep)
            loads += [] if load_E is None else [load_E]
        load_LE = torch.stack(loads) if loads else None
        return MaskedLMOutput(hidden=self.model.norm(x_BSD), router_load=load_LE)

    def new_cache(self, rows: int, length: int) -> BlockCache:
        """Return an empty key-value cache for `rows` canvases of `length` positions."""
        config, like = self.config, self.model.word_embeddings.weight
        shape = (rows, config.num_key_value_heads, length, head_width(config))
        return BlockCache.empty(config.num_hidden_layers, shape, like)

    @torch.no_grad()
    def update_expert_bias(self, router_load: Tensor, rate: float) -> None:
        """Move each expert's selection bias by `rate` towards an even load (arXiv 2408.15664, sign update).

        `router_load` [MoE layers, E] is the `router_load` of a training forward, or the sum of several.
        """
        routers = [module for module in self.modules() if isinstance(module, Router)]
        for router, load_E in zip(routers, router_load.float(), strict=True):
            router.expert_bias += rate * torch.sign(load_E.mean() - load_E).to(router.expert_bias)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        initialise(module, self.config.initializer_range, self.config.num_hidden_layers)
        if isinstance(module, Router):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
            nn.init.zeros_(module.expert_bias)


def head_width(config: LLaDA2MoeConfig) -> int:
    """Return the width of one attention head."""
    return config.head_dim or config.hidden_size // config.num_attention_heads


enter_auto(LLaDA2MoeConfig, LLaDA2MoeModelLM)
