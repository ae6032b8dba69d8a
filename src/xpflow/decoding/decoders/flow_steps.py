"""The mathematics of x-prediction flow: the state of a block, and the three things that a step does to it.

Legend: m noise embedding, x state, t progress, c confidence, a step size, e(v) embedding of token v.
    x_pred = e(argmax z)                                    Eq. 4, hard
    x <- x + a (x_pred - x),  1 - t <- (1 - a)(1 - t)       Eq. 5-8
    c = max softmax(z)                                      Eq. 9
    c - t < -0.1:  x <- c x_pred + (1 - c) m,  t <- c       Eq. 10, re-editing
    argmax of c among t < 0.99:  x <- x_pred,  t <- 1       hard commitment
In Eq. 5-8 the factor 1/(1 - t) is cancelled, so that nothing is singular.
Invariant: x = sum_v A_v e(v) + (1 - t) m with A >= 0 and sum_v A_v = t.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from xpflow.decoding.stepper import State


@dataclass(frozen=True)
class FlowState(State):
    """What a block of flow holds.

    x_BME: embeddings; t_BM: progress; held_BM: the token that x last moved to; committed_BM: hard-committed;
    m_BPE: where x started, P = 1 where all positions share one mask, else M; quiet_B: the last step changed
    nothing; read_B: the extra forward of the readout is done.
    """

    x_BME: Tensor
    t_BM: Tensor
    held_BM: Tensor
    committed_BM: Tensor
    m_BPE: Tensor
    quiet_B: Tensor
    read_B: Tensor


@dataclass(frozen=True, slots=True)
class Reading:
    """What one forward says: x_pred, its token, its confidence."""

    x_BME: Tensor
    ids_BM: Tensor
    c_BM: Tensor


def move(state: FlowState, reading: Reading, a_BM: Tensor, free_BM: Tensor) -> FlowState:
    """Move free tokens towards x_pred by a (Eq. 5-8)."""
    a_BM1 = (a_BM * free_BM).to(state.x_BME.dtype)[..., None]
    x_BME = torch.lerp(state.x_BME, reading.x_BME, a_BM1)  # Eq. 5: x + a (x_pred - x)
    t_BM = torch.where(free_BM, 1.0 - (1.0 - a_BM) * (1.0 - state.t_BM), state.t_BM)  # Eq. 8
    held_BM = torch.where(free_BM, reading.ids_BM, state.held_BM)
    return replace(state, x_BME=x_BME, t_BM=t_BM, held_BM=held_BM)


def reedit(state: FlowState, reading: Reading, edit_BM: Tensor) -> FlowState:
    """Set edited tokens back to x = c x_pred + (1 - c) m and t = c (Eq. 10)."""
    if not bool(edit_BM.any()):
        return state
    c_BM1 = reading.c_BM.to(state.x_BME.dtype)[..., None]
    back_BME = torch.lerp(state.m_BPE, reading.x_BME, c_BM1)  # Eq. 10
    return replace(
        state,
        x_BME=torch.where(edit_BM[..., None], back_BME, state.x_BME),
        t_BM=torch.where(edit_BM, reading.c_BM, state.t_BM),
        held_BM=torch.where(edit_BM, reading.ids_BM, state.held_BM),
        committed_BM=state.committed_BM & ~edit_BM,
    )


def commit(state: FlowState, reading: Reading, commit_BM: Tensor) -> FlowState:
    """Fix tokens at their prediction: x = x_pred, t = 1."""
    return replace(
        state,
        x_BME=torch.where(commit_BM[..., None], reading.x_BME, state.x_BME),
        t_BM=state.t_BM.masked_fill(commit_BM, 1.0),
        held_BM=torch.where(commit_BM, reading.ids_BM, state.held_BM),
        committed_BM=state.committed_BM | commit_BM,
    )
