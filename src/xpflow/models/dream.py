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
from transformers import PretrainedConfig

from xpflow.models.contract import MaskedLM, Seen, enter_auto
from xpflow.models.layers import (
    MaskedLMOutput,
    OutLinear,
    RMSNorm,
    attend,
    initialise,
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


class DreamModel(MaskedLM):  # type: ignore[no-untyped-call]
    """Dream with its output head, under the published class and tensor names; logits in the model's dtype."""

    config: DreamConfig
    config_class = DreamConfig
    TABLE, HEAD = "model.embed_tokens", "lm_head"
    _no_split_modules = ["DreamDecoderLayer"]  # noqa: RUF012 (the base class declares it so)

    def build(self, config: DreamConfig) -> None:
        """Make all modules."""
        self.model = DreamStack(config)
        self.lm_head: nn.Module = nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    def turns(self, x_BSD: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """Return cos and sin [S, R]."""
        head_width = self.config.hidden_size // self.config.num_attention_heads
        return rotary_tables(length, head_width, self.config.rope_theta, x_BSD)

    def forward(  # type: ignore[override]
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        logits_positions_BN: Tensor | None = None,
        head: bool = True,
    ) -> MaskedLMOutput:
        """Return logits as `MaskedLM.forward` does; there are no `position_ids`.

        What stands at place i predicts token i: it was computed at place i - 1. Hidden states move alike.
        """
        return super().forward(input_ids, attention_mask, inputs_embeds, logits_positions_BN, head=head)

    def run(self, x_BSD: Tensor, seen: Seen) -> MaskedLMOutput:
        """Run all layers, the last one's MLP where predictions are computed."""
        for layer in self.model.layers[:-1]:
            x_BSD = layer(x_BSD, seen.cos_SR, seen.sin_SR, seen.mask, None)
        places_BN = predicting_places(seen.places_BN, x_BSD)
        x_BND = self.model.layers[-1](x_BSD, seen.cos_SR, seen.sin_SR, seen.mask, places_BN)
        return MaskedLMOutput(hidden=self.model.norm(x_BND))

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


enter_auto(DreamConfig, DreamModel)
