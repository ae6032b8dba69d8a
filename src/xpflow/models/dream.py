"""Dream: Qwen2.5 made bidirectional, which predicts one place to the right (Dream-7B, Dream-Coder-7B).

Tensor names, shapes and numerical conventions are those of the published Dream-org checkpoints
(modeling_dream.py): grouped queries with biases on queries, keys and values only; whole heads are rotated in
the activation's dtype (cos and sin are computed in fp32); logits keep the model's dtype.

The shift: these weights were trained to predict the next token, so what they compute at place i - 1 is the
prediction of place i (upstream's sampler moves all logits by one). It is done here, in the model: the logits
and the hidden states that are returned for place i are those computed at place i - 1, and place 0, which
nothing precedes, has its own. So decoders, objectives and bounds need not know of it. The last block and the
head run at the places that are read only.

There are no `position_ids`: they come from copies of a block behind the canvas (`wino`), and the copy of a
place would be read at another one, which has seen the token that is to be judged. Such a decoder refuses.
Position = array index, so only right padding leaves a row's numbers as they are.
Deviation: the row of the padding token is trained like any other (upstream freezes it).
Not covered: a key-value cache, sliding window, RoPE scaling, dropout (unused by the published weights).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    PretrainedConfig,
    PreTrainedModel,
)

from xpflow.models.layers import (
    MaskedLMOutput,
    OutLinear,
    RMSNorm,
    attend,
    embed,
    initialise,
    key_mask,
    require_supported,
    rotary_tables,
    rotate,
    split_heads,
    take_positions,
)
from xpflow.models.moe import GatedMLP


class DreamConfig(PretrainedConfig):  # type: ignore[no-untyped-call]
    """The published field names, with Dream-7B's values; the decoders read the last six."""

    model_type = "Dream"

    vocab_size: int = 152064
    hidden_size: int = 3584
    intermediate_size: int = 18944
    num_hidden_layers: int = 28
    num_attention_heads: int = 28
    num_key_value_heads: int = 4
    max_position_embeddings: int = 131072
    rope_theta: float = 1000000.0
    rms_norm_eps: float = 1e-6
    initializer_range: float = 0.02
    use_cache: bool = False
    tie_word_embeddings: bool = False
    bos_token_id: int | None = 151643
    eos_token_id: int | None = 151643
    pad_token_id: int | None = 151643
    mask_token_id: int = 151666
    eot_token_id: int | None = None  # <|im_end|>: left to the tokenizer
    suppress_token_ids: list[int] | None = None
    block_length: int | None = None


class DreamAttention(nn.Module):
    """Grouped-query attention in which every place sees every other."""

    def __init__(self, config: DreamConfig) -> None:
        super().__init__()
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        width = config.hidden_size
        kv_width = width // self.heads * self.kv_heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, kv_width)
        self.v_proj = nn.Linear(width, kv_width)
        self.o_proj = OutLinear(width, width, bias=False)

    def forward(self, x_BSD: Tensor, cos_SR: Tensor, sin_SR: Tensor, mask: Tensor | None) -> Tensor:
        q_BHSK = split_heads(self.q_proj(x_BSD), self.heads)
        k_BGSK = split_heads(self.k_proj(x_BSD), self.kv_heads)
        v_BGSK = split_heads(self.v_proj(x_BSD), self.kv_heads)
        cos_SR, sin_SR = cos_SR.to(v_BGSK.dtype), sin_SR.to(v_BGSK.dtype)
        q_BHSK, k_BGSK = rotate(q_BHSK, cos_SR, sin_SR), rotate(k_BGSK, cos_SR, sin_SR)
        return self.o_proj(attend(q_BHSK, k_BGSK, v_BGSK, mask))  # type: ignore[no-any-return]


class DreamDecoderLayer(nn.Module):
    """One layer: attention and a gated MLP, both pre-normed."""

    def __init__(self, config: DreamConfig) -> None:
        super().__init__()
        self.self_attn = DreamAttention(config)
        self.mlp = GatedMLP(config.hidden_size, config.intermediate_size)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(
        self, x_BSD: Tensor, cos_SR: Tensor, sin_SR: Tensor, mask: Tensor | None, places_BN: Tensor | None
    ) -> Tensor:
        """Return [B, S, D]; with `places_BN` (given to the last layer) only those places' [B, N, D]."""
        x_BSD = x_BSD + self.self_attn(self.input_layernorm(x_BSD), cos_SR, sin_SR, mask)
        x_BND = take_positions(x_BSD, places_BN)
        out_BND: Tensor = x_BND + self.mlp(self.post_attention_layernorm(x_BND))
        return out_BND


class DreamStack(nn.Module):
    """The module tree behind the published names `model.*`; DreamModel runs it."""

    def __init__(self, config: DreamConfig) -> None:
        super().__init__()
        self.embed_tokens: nn.Module = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(DreamDecoderLayer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class DreamModel(PreTrainedModel):  # type: ignore[no-untyped-call]
    """Dream with its output head, under the published class and tensor names."""

    config: DreamConfig
    config_class = DreamConfig
    base_model_prefix = "model"
    _supports_sdpa = True
    _no_split_modules = ["DreamDecoderLayer"]  # noqa: RUF012 (the base class declares it so)

    def __init__(self, config: DreamConfig) -> None:
        require_supported(config)
        super().__init__(config)
        self.model = DreamStack(config)
        self.lm_head: nn.Module = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        logits_positions_BN: Tensor | None = None,
        head: bool = True,
    ) -> MaskedLMOutput:
        """Return logits [B, S, V] in the model's dtype, or [B, N, V] at `logits_positions_BN` only.

        What stands at place i predicts token i: it was computed at place i - 1. Without the `head`, the
        hidden states that it would read, moved alike: [B, S, D] or [B, N, D].

        Exactly one of `input_ids` [B, S] and `inputs_embeds` [B, S, D]. `attention_mask`: 2-D [B, S],
        non-zero where a key may be seen, or 4-D [B or 1, 1 or H, S, S], bool or additive.
        """
        x_BSD = embed(self.model.embed_tokens, input_ids, inputs_embeds)
        head_width = self.config.hidden_size // self.config.num_attention_heads
        cos_SR, sin_SR = rotary_tables(x_BSD.shape[1], head_width, self.config.rope_theta, x_BSD)
        mask = key_mask(attention_mask)
        for layer in self.model.layers[:-1]:
            x_BSD = layer(x_BSD, cos_SR, sin_SR, mask, None)
        places_BN = predicting_places(logits_positions_BN, x_BSD)
        x_BND = self.model.layers[-1](x_BSD, cos_SR, sin_SR, mask, places_BN)
        hidden_BND = self.model.norm(x_BND)
        if not head:
            return MaskedLMOutput(hidden=hidden_BND)
        return MaskedLMOutput(logits=self.lm_head(hidden_BND))

    def get_input_embeddings(self) -> nn.Module:
        """Return the embedding table (its `weight` is W_in of the paper)."""
        table: nn.Module = self.model.embed_tokens
        return table

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.model.embed_tokens = value

    def get_output_embeddings(self) -> nn.Module:
        head: nn.Module = self.lm_head
        return head

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        self.lm_head = new_embeddings

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        initialise(module, self.config.initializer_range, self.config.num_hidden_layers)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)


def predicting_places(positions_BN: Tensor | None, x_BSD: Tensor) -> Tensor:
    """Return where the predictions of positions are computed, [B, N]: one place to the left, 0 for 0.

    Without positions: of all of them, [B, S].
    """
    if positions_BN is None:
        positions_BN = torch.arange(x_BSD.shape[1], device=x_BSD.device).expand(x_BSD.shape[:2])
    return (positions_BN - 1).clamp(min=0)


AutoConfig.register("Dream", DreamConfig, exist_ok=True)
for _auto in (AutoModel, AutoModelForMaskedLM, AutoModelForCausalLM):
    _auto.register(DreamConfig, DreamModel, exist_ok=True)
