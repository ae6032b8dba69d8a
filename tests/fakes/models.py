"""A small random transformer with the interface of the real models: decoder tests need no checkpoint."""

from __future__ import annotations

from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FakeModel(nn.Module):
    """Two attention layers with random weights; block-causal when `block_length` is set.

    It counts its forwards and the rows in them, and its logits are sharpened: confidences spread over (0, 1).
    """

    def __init__(
        self, vocab: int = 37, width: int = 24, block_length: int = 0, seed: int = 0, scale: float = 6.0
    ):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.config = SimpleNamespace(
            vocab_size=vocab,
            mask_token_id=vocab - 1,
            eos_token_id=1,
            pad_token_id=1,
            eot_token_id=2,
            suppress_token_ids=[0, vocab - 1],
            block_length=block_length,
        )
        self.newline_token_ids = (5,)
        self.embed = nn.Embedding(vocab, width)
        self.layers = nn.ModuleList(nn.Linear(width, 6 * width) for _ in range(2))
        self.places = nn.Embedding(256, width)
        self.head = nn.Linear(width, vocab)
        self.width, self.scale, self.forwards, self.rows, self.fed = width, scale, 0, 0, 0
        with torch.no_grad():
            for p in self.parameters():
                p.copy_(
                    torch.randn(p.shape, generator=generator) / (p.shape[-1] ** 0.5 if p.ndim > 1 else 4.0)
                )
            self.embed.weight.mul_(width**0.5)
            self.places.weight.mul_(width**0.5)
            self.head.bias.zero_()[vocab - 1] = -9.0  # no model is trained to predict its mask

    def get_input_embeddings(self) -> nn.Embedding:
        return self.embed

    def forward(
        self,
        input_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        attention_mask: Tensor | None = None,
        logits_positions_BN: Tensor | None = None,
        position_ids: Tensor | None = None,
    ) -> SimpleNamespace:
        x = self.embed(input_ids) if inputs_embeds is None else inputs_embeds
        self.forwards, self.rows, self.fed = (
            self.forwards + 1,
            self.rows + len(x),
            self.fed + x.shape[:2].numel(),
        )
        size = x.shape[1]
        x = x + self.places.weight[torch.arange(size) if position_ids is None else position_ids]
        allowed = torch.ones(1, size, size, dtype=torch.bool)
        if self.config.block_length:
            number = torch.arange(size) // self.config.block_length
            allowed = (number[None, :] <= number[:, None])[None]
        if attention_mask is not None and attention_mask.dim() == 4:
            allowed = attention_mask[:, 0]
        elif attention_mask is not None:
            allowed = allowed & attention_mask.bool()[:, None, :]
        for layer in self.layers:
            q, k, v, gate, up, out = layer(F.layer_norm(x, (self.width,))).chunk(6, -1)
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
            x = x + mixed * torch.sigmoid(out) + F.silu(gate) * up
        x = F.layer_norm(x, (self.width,))
        if logits_positions_BN is not None:
            x = x.gather(1, logits_positions_BN[..., None].expand(-1, -1, self.width))
        return SimpleNamespace(logits=self.head(x) * self.scale)
