"""KLASS: commit masks that are confident, and whose distribution has stopped moving.

K = KL(p || p of the step before) < kappa in each of the last h steps, and c > tau; where no mask is ready,
mask prediction's quota. Source: Kim et al. 2025, arXiv 2511.05664. Deviation: the public loop has exactly
the quota's number of steps although a ready set below the quota replaces it, so it leaves masks at fewer
steps than tokens; here the last step of the budget commits what is left (`at_cap`). Memory: two tables [M,
V] in float64 a row.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from xpflow.decoding.axes.commits import above, or_else
from xpflow.decoding.axes.general import AxisSettings, AxisStepper, Revision
from xpflow.decoding.axes.view import AxisState, View
from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import Canvas
from xpflow.decoding.entry import Decoder, Knob
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
        rows, size = state.ids_BM.shape
        device = state.ids_BM.device
        none_BMH = torch.full((rows, size, self.settings.history), torch.inf, device=device)
        return {
            "p_BMV": torch.zeros(rows, size, self.facts.vocabulary, dtype=torch.float64, device=device),
            "kl_BMH": none_BMH.double(),
        }

    def commits(self, view: View) -> Tensor:
        """Return the masks that are ready, or the quota."""
        still_BM = (self._divergences(view) < self.settings.kappa).all(-1)
        ready_BM = above(view.c_BM, self.settings.threshold) & still_BM
        if view.info.step < self.settings.history - 1:
            ready_BM = torch.zeros_like(ready_BM)
        quota = self.schedule.quota(view.info.step, view.state.masks_B)
        quota = max(quota, 1) if isinstance(quota, int) else quota.clamp(min=1)
        return or_else(ready_BM, most_confident(view.c_BM, quota, self.settings.tie_break, view.info.block))

    def remembered(self, view: View, new: AxisState, commit_BM: Tensor, change: Revision) -> AxisState:
        """Keep this step's distributions and divergences."""
        return new.remember(p_BMV=view.p_BMV.double(), kl_BMH=self._divergences(view))

    def _divergences(self, view: View) -> Tensor:
        """Return the last h divergences, this step's last."""
        p_BMV, old_BMV = view.p_BMV.double(), view.state.memory["p_BMV"]
        kl_BM = (p_BMV * ((p_BMV + TINY).log() - (old_BMV + TINY).log())).sum(-1)
        return torch.cat((view.state.memory["kl_BMH"][..., 1:], kl_BM[..., None]), dim=-1)


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
