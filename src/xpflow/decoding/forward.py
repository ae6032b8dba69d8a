"""The one place where decoders call a model: windows, padding mask and logits at chosen positions only."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from xpflow.decoding.state import Canvas


def padding_mask(canvas: Canvas, window: int, block_causal: bool) -> Tensor | None:
    """Return the key mask `[B, window]`, or None where no row can see padding.

    A block-causal model cannot see the blocks after a row's own, so it never needs one; a bidirectional model
    needs one only when rows differ in length.
    """
    if block_causal or bool((canvas.end_B == window).all()):
        return None
    return torch.arange(window, device=canvas.end_B.device) < canvas.end_B[:, None]


def response_logits(
    model: Any,
    positions_BK: Tensor,
    mask_BS: Tensor | None,
    *,
    ids_BS: Tensor | None = None,
    embeds_BSE: Tensor | None = None,
) -> Tensor:
    """Run one forward and return logits `[B, K, V]` at the given absolute positions (the head is skipped
    elsewhere)."""
    inputs = {"input_ids": ids_BS} if embeds_BSE is None else {"inputs_embeds": embeds_BSE}
    output = model(**inputs, attention_mask=mask_BS, logits_positions_BN=positions_BK)
    logits: Tensor = output.logits
    return logits
