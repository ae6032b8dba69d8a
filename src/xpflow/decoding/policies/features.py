"""The policy's state: eight numbers per token (Eq. 13)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

TOP = 4


def policy_features(logits_BMV: Tensor, t_BM: Tensor, rho_B: Tensor) -> Tensor:
    """Return `[B, M, 8]`: the four largest probabilities, the entropy of these four renormalised (divided by
    log 4), the margin between the first two, progress t, and rho = l / (T - 1)."""
    logits = logits_BMV.to(t_BM.dtype)
    top = logits.topk(TOP, dim=-1).values
    p_BM4 = (top - logits.logsumexp(-1, keepdim=True)).exp()
    q_BM4 = top.softmax(-1)
    entropy = -(q_BM4 * q_BM4.clamp_min(1e-30).log()).sum(-1, keepdim=True) / math.log(TOP)
    margin = p_BM4[..., :1] - p_BM4[..., 1:2]
    rho = rho_B[:, None, None].expand(*t_BM.shape, 1)
    return torch.cat((p_BM4, entropy, margin, t_BM[..., None], rho), dim=-1)
