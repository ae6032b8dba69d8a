"""What the model sees at a mask: a mixture of the mask's embedding m and a target u of its prediction.

linear:     (1 - w) m + w u
at_norm:    the same, rescaled to |m|
spherical:  |m| times the direction that lies w of the angle from m to u (SLERP, arXiv 2609.37391)
Legend: E embedding width, V vocabulary, p distribution, w weight in [0, 1].
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from xpflow.decoding.axes.general import AxisSettings, AxisStepper, Revision
from xpflow.decoding.axes.view import AxisState, View
from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import Canvas
from xpflow.decoding.stepper import Setup
from xpflow.decoding.tokens import TokenState

Geometry = Literal["linear", "at_norm", "spherical"]
SMALL = 1e-6  # of sines: below it two directions are one


def weighted(table_VE: Tensor, ids: Tensor, weights: Tensor) -> Tensor:
    """Return sum_j weights_j e(ids_j) along the last dimension, without a table of the embeddings."""
    flat = weights.to(table_VE.dtype).flatten(0, -2)
    total = embedding_bag(ids.flatten(0, -2), table_VE, per_sample_weights=flat, mode="sum")
    return total.view(*ids.shape[:-1], -1)


def top_mean(p_BKV: Tensor, table_VE: Tensor, top: int) -> Tensor:
    """Return the mean embedding of the `top` most likely tokens, their p renormalised, `[B, K, E]`."""
    best_BKT, ids_BKT = p_BKV.topk(min(top, p_BKV.shape[-1]), dim=-1)
    best_BKT = best_BKT / best_BKT.sum(-1, keepdim=True).clamp(min=torch.finfo(best_BKT.dtype).tiny)
    return weighted(table_VE, ids_BKT, best_BKT)


def mixture(m_BME: Tensor, u_BME: Tensor, w_BM: Tensor, geometry: Geometry) -> Tensor:
    """Return the mixture of m and u; exactly m where w is 0."""
    w_BM1 = w_BM[..., None].to(m_BME.dtype)
    mixed_BME = m_BME + w_BM1 * (u_BME - m_BME)
    if geometry == "linear":
        return mixed_BME
    size_BM1 = m_BME.norm(dim=-1, keepdim=True)
    if geometry == "at_norm":
        scaled_BME = mixed_BME * size_BM1 / _length(mixed_BME)
        return torch.where(w_BM1 == 0, m_BME, scaled_BME)
    from_BME, to_BME = m_BME / _length(m_BME), u_BME / _length(u_BME)
    cosine_BM1 = (from_BME * to_BME).sum(-1, keepdim=True).clamp(-1.0, 1.0)
    across_BME = to_BME - cosine_BM1 * from_BME
    sine_BM1 = across_BME.norm(dim=-1, keepdim=True)
    angle_BM1 = torch.atan2(sine_BM1, cosine_BM1)
    # sin((1-w)a)/sin(a) m^ + sin(wa)/sin(a) u^  =  cos(wa) m^ + sin(wa) (u^ across m^)
    turned_BME = (w_BM1 * angle_BM1).cos() * m_BME
    turned_BME = turned_BME + (w_BM1 * angle_BM1).sin() * size_BM1 * across_BME / sine_BM1.clamp(min=SMALL)
    straight_BME = size_BM1 * (from_BME + w_BM1 * (to_BME - from_BME))
    straight_BME = torch.where(w_BM1 == 0, m_BME, straight_BME)
    return torch.where(sine_BM1 < SMALL, straight_BME, turned_BME)


def _length(x_BME: Tensor) -> Tensor:
    length_BM1: Tensor = x_BME.norm(dim=-1, keepdim=True)
    return length_BM1.clamp(min=torch.finfo(x_BME.dtype).tiny)


class SoftStepper(AxisStepper):
    """Base of decoders whose masks are embeddings that the last forward has moved; tokens stay themselves."""

    continuous = True
    settings: AxisSettings

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.embed = setup.model.get_input_embeddings()

    def first_memory(self, state: AxisState, block: Block, canvas: Canvas) -> dict[str, Tensor]:
        """Return plain masks: m where the block starts, and nothing mixed into it."""
        m_BME = canvas.embedded(self.embed, block.positions_BM)
        return {**super().first_memory(state, block, canvas), "m_BME": m_BME, "x_BME": m_BME}

    def inputs(self, state: TokenState) -> Tensor:
        """Return embeddings: those of tokens, and the mixtures at masks, `[B, M, E]`."""
        assert isinstance(state, AxisState)
        token_BME = self.embed(state.ids_BM.clamp(min=0))
        return torch.where(state.masked_BM[..., None], state.memory["x_BME"], token_BME)

    def remembered(self, view: View, new: AxisState, commit_BM: Tensor, change: Revision) -> AxisState:
        """Keep the mixtures that the next forward sees at masks."""
        new = super().remembered(view, new, commit_BM, change)
        m_BME, kept_BM = new.memory["m_BME"], new.masked_BM & view.able_BM
        if not bool(kept_BM.any()):  # the last step of a block, of all its rows
            return new.remember(x_BME=m_BME)
        x_BME = self.mixed(view, m_BME, kept_BM)
        return new.remember(x_BME=torch.where(kept_BM[..., None], x_BME.to(m_BME.dtype), m_BME))

    def mixed(self, view: View, m_BME: Tensor, kept_BM: Tensor) -> Tensor:
        """Return what stands at masks in the next forward, `[B, M, E]`; anything outside of `kept_BM`."""
        raise NotImplementedError
