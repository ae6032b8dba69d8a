"""Targets of self-distillation through time: what a teacher says in several small steps, for one large one.

From a masked sentence at t the teacher takes `steps` steps of length dt. The target of a place is the
teacher's distribution at the step in which the place was decided; of those still open, at the last step
(SDTT, Deschenaux and Gulcehre, arXiv 2410.21035, as Infinite Mask Diffusion uses it, arXiv 2605.10518). Noise
of masks is kept along the rollout.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from xpflow.masking.reverse import words_at


def rollout_targets(
    teacher: Callable[[Tensor, Tensor], Tensor],
    ids_BL: Tensor,
    open_BL: Tensor,
    t_B: Tensor,
    dt: float,
    uniform_BLNU: Tensor,
) -> Tensor:
    """Return the teacher's log-probabilities as targets, [B, L, V]; only those at open places mean something.

    Args:
        teacher: (ids, open) -> log p [B, L, V]. t_B: time of the sentences, alpha = 1 - t. uniform_BLNU:
        uniform numbers [B, L, steps, 2]: whether a place is decided in a step, and which word.
    """
    ids_BL, left_BL, target_BLV = ids_BL.clone(), open_BL.clone(), None
    for step in range(uniform_BLNU.shape[2]):
        log_p_BLV = teacher(ids_BL, left_BL)
        target_BLV = (
            log_p_BLV if target_BLV is None else torch.where(left_BL[..., None], log_p_BLV, target_BLV)
        )
        time_B1 = (t_B - step * dt).clamp(min=torch.finfo(torch.float64).tiny)[:, None]
        now_BL = left_BL & (uniform_BLNU[:, :, step, 0] < dt / time_B1)
        ids_BL = torch.where(now_BL, words_at(log_p_BLV, uniform_BLNU[:, :, step, 1]), ids_BL)
        left_BL = left_BL & ~now_BL
    assert target_BLV is not None
    return target_BLV
