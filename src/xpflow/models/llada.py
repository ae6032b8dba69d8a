"""LLaDA: a dense, bidirectional masked diffusion language model (LLaDA-8B and the micro model).

Tensor names, shapes and numerical conventions are those of the published GSAI-ML/LLaDA-8B checkpoints
(modeling_llada.py, configuration_llada.py). Traps that are kept: `ff_proj` is the gated projection (SiLU),
`ff_out` is the down projection inside a block and the output head at the top; rotary embedding is computed in
fp32 and cast back; logits keep the model's dtype; the logit at position i predicts token i (no shift).
Position = array index, so only right padding leaves a row's numbers as they are.
Not covered: KV cache, dropout, ALiBi, tied weights, biases (the published weights have none of them).
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
    OutLinear,
    RMSNorm,
    at_least_fp32,
    attend,
    initialise,
    rotary_tables,
    rotate,
    split_heads,
    take_positions,
)


class LLaDAConfig(PretrainedConfig):  # type: ignore[no-untyped-call]
    """The published field names; defaults are LLaDA-8B's. The last five fields are read by the decoders."""

    model_type = "llada"
    attribute_map: ClassVar[dict[str, str]] = {
        "hidden_size": "d_model",
        "num_hidden_layers": "n_layers",
        "num_attention_heads": "n_heads",
        "num_key_value_heads": "n_kv_heads",
        "intermediate_size": "mlp_hidden_size",
        "max_position_embeddings": "max_sequence_length",
    }

    vocab_size: int = 126464
    embedding_size: int | None = None
    d_model: int = 4096
    n_layers: int = 32
    n_heads: int = 32
    n_kv_heads: int | None = None
    mlp_ratio: int = 4
    mlp_hidden_size: int | None = 12288
    max_sequence_length: int = 4096
    rms_norm_eps: float = 1e-5
    rope_theta: float = 500000.0
    init_std: float = 0.02
    use_cache: bool = False
    tie_word_embeddings: bool = False
    bos_token_id: int | None = 126080
    eos_token_id: int | None = 126081
    pad_token_id: int | None = 126081
    mask_token_id: int = 126336
    eot_token_id: int | None = 126348
    suppress_token_ids: list[int] | None = None
    block_length: int | None = None


class LLaDABlock(nn.Module):
    """One transformer block: bidirectional attention and a gated MLP, both pre-normed."""

    def __init__(self, config: LLaDAConfig) -> None:
        super().__init__()
        width, inner = config.d_model, config.mlp_hidden_size or config.mlp_ratio * config.d_model
        self.heads, self.kv_heads = config.n_heads, config.n_kv_heads or config.n_heads
        kv_width = width // self.heads * self.kv_heads
        self.attn_norm = RMSNorm(width, config.rms_norm_eps)
        self.ff_norm = RMSNorm(width, config.rms_norm_eps)
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, kv_width, bias=False)
        self.v_proj = nn.Linear(width, kv_width, bias=False)
        self.attn_out = OutLinear(width, width, bias=False)
        self.ff_proj = nn.Linear(width, inner, bias=False)
        self.up_proj = nn.Linear(width, inner, bias=False)
        self.ff_out = OutLinear(inner, width, bias=False)

    def forward(
        self, x_BSD: Tensor, cos_SR: Tensor, sin_SR: Tensor, mask: Tensor | None, positions_BN: Tensor | None
    ) -> Tensor:
        """Return [B, S, D]; with `positions_BN` (given to the last block) only those positions' [B, N, D]."""
        x_BSD = x_BSD + self.attention(self.attn_norm(x_BSD), cos_SR, sin_SR, mask)
        x_BND = take_positions(x_BSD, positions_BN)
        normed_BND = self.ff_norm(x_BND)
        inner_BNI = F.silu(self.ff_proj(normed_BND)) * self.up_proj(normed_BND)
        return x_BND + self.ff_out(inner_BNI)  # type: ignore[no-any-return]

    def attention(self, x_BSD: Tensor, cos_SR: Tensor, sin_SR: Tensor, mask: Tensor | None) -> Tensor:
        """Attend with queries and keys rotated in fp32 and cast back."""
        q_BHSK = split_heads(self.q_proj(x_BSD), self.heads)
        k_BGSK = split_heads(self.k_proj(x_BSD), self.kv_heads)
        v_BGSK = split_heads(self.v_proj(x_BSD), self.kv_heads)
        wide = at_least_fp32(q_BHSK.dtype)
        q_BHSK = rotate(q_BHSK.to(wide), cos_SR, sin_SR).to(v_BGSK.dtype)
        k_BGSK = rotate(k_BGSK.to(wide), cos_SR, sin_SR).to(v_BGSK.dtype)
        return self.attn_out(attend(q_BHSK, k_BGSK, v_BGSK, mask))  # type: ignore[no-any-return]


class LLaDATransformer(nn.Module):
    """The module tree behind the published names `model.transformer.*`; LLaDAModelLM runs it."""

    def __init__(self, config: LLaDAConfig) -> None:
        super().__init__()
        rows = config.embedding_size or config.vocab_size
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(rows, config.d_model),
                "blocks": nn.ModuleList(LLaDABlock(config) for _ in range(config.n_layers)),
                "ln_f": RMSNorm(config.d_model, config.rms_norm_eps),
                "ff_out": nn.Linear(config.d_model, rows, bias=False),
            }
        )


class LLaDAModelLM(MaskedLM):  # type: ignore[no-untyped-call]
    """LLaDA with its output head, under the published class and tensor names; logits in the model's dtype."""

    config: LLaDAConfig
    config_class = LLaDAConfig
    TABLE, HEAD = "model.transformer.wte", "model.transformer.ff_out"
    _no_split_modules = ["LLaDABlock"]  # noqa: RUF012 (the base class declares it so)

    def build(self, config: LLaDAConfig) -> None:
        """Make all modules."""
        self.model = LLaDATransformer(config)

    def turns(self, x_BSD: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """Return cos and sin [S, R]."""
        head_width = self.config.d_model // self.config.n_heads
        return rotary_tables(length, head_width, self.config.rope_theta, x_BSD)

    def run(self, x_BSD: Tensor, seen: Seen) -> MaskedLMOutput:
        """Run all blocks, the last one's MLP where states are wanted."""
        parts = self.model.transformer
        for block in parts["blocks"][:-1]:
            x_BSD = block(x_BSD, seen.cos_SR, seen.sin_SR, seen.mask, None)
        x_BND = parts["blocks"][-1](x_BSD, seen.cos_SR, seen.sin_SR, seen.mask, seen.places_BN)
        return MaskedLMOutput(hidden=parts["ln_f"](x_BND))

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        initialise(module, self.config.init_std, self.config.n_layers)


class LLaDAFeatureBlock(FeatureBlock):
    """One more block on the model's features, and a norm."""

    def __init__(self, config: LLaDAConfig) -> None:
        super().__init__()
        self.config, self.block = config, LLaDABlock(config)
        self.norm = RMSNorm(config.d_model, config.rms_norm_eps)

    @torch.no_grad()
    def draw(self) -> None:
        """Draw all weights anew."""
        for module in self.modules():
            initialise(module, self.config.init_std, self.config.n_layers)

    def forward(self, features_BLD: Tensor) -> Tensor:
        """Return [B, L, D]."""
        head_width = self.config.d_model // self.config.n_heads
        cos_LR, sin_LR = rotary_tables(
            features_BLD.shape[1], head_width, self.config.rope_theta, features_BLD
        )
        found: Tensor = self.norm(self.block(features_BLD, cos_LR, sin_LR, None, None))
        return found


enter_auto(LLaDAConfig, LLaDAModelLM)
