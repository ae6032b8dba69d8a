"""KLASS: commit masks that are confident, and whose distribution has stopped moving.

K = KL(p || p of the step before) < kappa in each of the last h steps, and c > tau; where no mask is ready,
mask prediction's quota. Source: Kim et al. 2025, arXiv 2511.05664. Deviation: the public loop has exactly
the quota's number of steps although a ready set below the quota replaces it, so it leaves masks at fewer
steps than tokens; here the last step of the budget commits what is left (`at_cap`). The public code keeps
its history from block to block, here it starts anew with each: no mask of a block is ready before forward
h + 1 (there: h, but for the first block).
K is asked only where c > tau, and of an earlier forward only where later ones stood still; so a step keeps
logits, not distributions. Memory: the last h tables [M, V] of logits a row.
"""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor

from xpflow.decoding.axes.commits import above, or_else
from xpflow.decoding.axes.general import AxisSettings, AxisStepper, Revision
from xpflow.decoding.axes.view import AxisState, View
from xpflow.decoding.entry import Decoder, Knob
from xpflow.decoding.stepper import Setup
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

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        # The first K is to no distribution at all: at least log(1 / TINY) - log V, here less 1 for rounding.
        least = -math.log(TINY) - math.log(setup.facts.vocabulary) - 1
        self.first = self.settings.history - (1 if self.settings.kappa > least else 0)

    def commits(self, view: View) -> Tensor:
        """Return the masks that are ready, or the quota."""
        quota = self.schedule.quota(view.info.step, view.state.masks_B)
        quota = max(quota, 1) if isinstance(quota, int) else quota.clamp(min=1)
        best_BM = most_confident(view.c_BM, quota, self.settings.tie_break, view.info.block)
        return or_else(self._ready(view), best_BM)

    def remembered(self, view: View, new: AxisState, commit_BM: Tensor, change: Revision) -> AxisState:
        """Keep this forward's logits in place of those of h forwards before."""
        return new.remember(**view.kept(self._slot(view.info.step), view.logits.values_BKV))

    def _slot(self, step: int) -> str:
        return f"logits{step % self.settings.history}"

    def _ready(self, view: View) -> Tensor:
        """Return the masks above the threshold that stood still in each of the last h steps."""
        ready_BM, step = torch.zeros_like(view.masked_BM), view.info.step
        if step < self.first:
            return ready_BM
        rows_C, places_C = above(view.c_BM, self.settings.threshold).nonzero(as_tuple=True)
        p_CV, logs_CV = self._distributions(view, step, rows_C, places_C)
        for before in range(step - 1, step - 1 - self.settings.history, -1):
            old_CV, old_logs_CV = self._distributions(view, before, rows_C, places_C)
            kl_C = p_CV.mul_(logs_CV.sub_(old_logs_CV)).sum(-1)
            still = (kl_C < self.settings.kappa).nonzero()[:, 0]
            rows_C, places_C = rows_C[still], places_C[still]
            p_CV, logs_CV = old_CV[still], old_logs_CV[still]
        ready_BM[rows_C, places_C] = True
        return ready_BM

    def _distributions(
        self, view: View, step: int, rows_C: Tensor, places_C: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return p of a step, 0 before the first, and log(p + TINY) at some places, `[C, V]` in float64."""
        if step < 0:
            shape = (len(rows_C), view.logits.values_BKV.shape[-1])
            p_CV = torch.zeros(shape, dtype=torch.float64, device=rows_C.device)
        elif step == view.info.step:
            p_CV = view.read_at(rows_C, places_C).double().softmax(-1)
        else:
            p_CV = view.recalled(self._slot(step), rows_C, places_C).double().softmax(-1)
        return p_CV, (p_CV + TINY).log_()


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
