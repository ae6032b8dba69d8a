"""KLASS: commit masks that are confident, and whose distribution has stopped moving.

K = KL(p || p of the step before) < kappa in each of the last h steps, and c > tau; where no mask is ready,
mask prediction's quota. Source: Kim et al. 2025, arXiv 2511.05664. Deviation: the public loop has exactly
the quota's number of steps although a ready set below the quota replaces it, so it leaves masks at fewer
steps than tokens; here the last step of the budget commits what is left (`at_cap`). The public code keeps
its history from block to block, here it starts anew with each: no mask of a block is ready before forward
h + 1 (there: h, but for the first block). Memory: one table [M, V] in float64 a row.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from pydantic import Field
from torch import Tensor

from xpflow.decoding.axes.commits import above, or_else
from xpflow.decoding.axes.general import AxisSettings, AxisStepper
from xpflow.decoding.axes.view import AxisState, View
from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import Canvas
from xpflow.decoding.entry import Decoder, Knob
from xpflow.decoding.stepper import Logits, StepInfo
from xpflow.decoding.tokens import most_confident

TINY = 1e-12  # inside the logarithms, as published


class KlassSettings(AxisSettings):
    """Settings of `klass`."""

    threshold: float = Field(default=0.9, ge=0.0, le=1.0, description="tau: confidence of a ready mask")
    kappa: float = Field(default=0.01, description="KL in nats below which a distribution stands still")
    history: int = Field(default=2, ge=1, description="h: steps for which it must have stood still")


class Klass(AxisStepper):
    """The stepper of `klass`."""

    settings: KlassSettings

    def first_memory(self, state: AxisState, block: Block, canvas: Canvas) -> dict[str, Tensor]:
        """Return no distribution, and no divergence yet."""
        shape, device = state.ids_BM.shape, state.ids_BM.device
        logs_B11 = torch.full((shape[0], 1, 1), math.log(TINY), dtype=torch.float64, device=device)
        kl_BMH = logs_B11.new_full((*shape, self.settings.history), torch.inf)
        return {"logs": logs_B11, "logs_at_BM": torch.zeros_like(state.ids_BM), "kl_BMH": kl_BMH}

    def scored(self, state: AxisState, logits: Logits, info: StepInfo) -> View:
        """Return predictions and confidences; remember distributions and the last h divergences."""
        view = super().scored(state, logits, info)
        p_BKV = logits.values_BKV.double().softmax(-1)
        logs_BKV, old_BMH = (p_BKV + TINY).log_(), state.memory["kl_BMH"]
        kl_BK = p_BKV.mul_(logs_BKV - view.recall("logs")).sum(-1)
        kl_BMH = torch.cat((old_BMH[..., 1:], view.spread(kl_BK)[..., None]), dim=-1)
        return replace(view, state=state.remember(**view.kept("logs", logs_BKV), kl_BMH=kl_BMH))

    def commits(self, view: View) -> Tensor:
        """Return the masks that are ready, or the quota."""
        still_BM = (view.state.memory["kl_BMH"] < self.settings.kappa).all(-1)
        ready_BM = above(view.c_BM, self.settings.threshold) & still_BM
        if view.info.step < self.settings.history - 1:
            ready_BM = torch.zeros_like(ready_BM)
        quota = self.schedule.quota(view.info.step, view.state.masks_B)
        quota = max(quota, 1) if isinstance(quota, int) else quota.clamp(min=1)
        return or_else(ready_BM, most_confident(view.c_BM, quota, self.settings.tie_break, view.info.block))


DECODER = Decoder(
    settings=KlassSettings,
    make=Klass,
    about="commit masks that are confident and whose distribution stands still",
    title="KLASS",
    source="KLASS (Kim et al. 2025), arXiv 2511.05664",
    nfe="adaptive",
    shown=("threshold", "kappa"),
    knob=Knob("threshold", 0.0, 1.0),
    examples=({},),
)
