"""CreditDecoding: threshold decoding on logits that favour what was predicted in earlier steps.

C <- beta C;  C[i, argmax] += c^gamma;  f = z + alpha log(1 + C), and confidences of softmax(f). This step's
credit counts at once, so part of what it gains is a lower threshold: compare it with a swept `threshold`.
Source: arXiv 2510.06133; dInfer. Memory: one table [M, V] in float32 a row, new in each block.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from pydantic import Field
from torch import Tensor

from xpflow.decoding.axes.commits import above, at_least
from xpflow.decoding.axes.general import AxisSettings, AxisStepper
from xpflow.decoding.axes.view import AxisState, View
from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import Canvas
from xpflow.decoding.entry import Decoder, Knob
from xpflow.decoding.stepper import Logits, StepInfo


class CreditSettings(AxisSettings):
    """Settings of `credit`."""

    threshold: float = Field(default=0.9, ge=0.0, le=1.0, description="Confidence that commits a token")
    strict: bool = Field(default=False, description="conf > threshold rather than >=")
    alpha: float = Field(default=0.7, ge=0.0, le=1000.0, description="Weight of the credit in the logits")
    beta: float = Field(default=0.8, ge=0.0, le=1.0, description="Share of the credit that a step keeps")
    exponent: float = Field(default=0.2, ge=0.0, description="gamma: a prediction earns c^gamma")


class Credit(AxisStepper):
    """The stepper of `credit`."""

    settings: CreditSettings

    def first_memory(self, state: AxisState, block: Block, canvas: Canvas) -> dict[str, Tensor]:
        """Return no credit."""
        shape = (*state.ids_BM.shape, self.facts.vocabulary)
        return {"credit_BMV": torch.zeros(shape, device=state.ids_BM.device)}

    def scored(self, state: AxisState, logits: Logits, info: StepInfo) -> View:
        """Return predictions and confidences of the logits with credit."""
        plain = super().scored(state, logits, info)
        earned_BM = plain.c_BM.clamp(min=0).to(torch.float32) ** self.settings.exponent * plain.able_BM
        places_BM1 = plain.found.ids.clamp(min=0)[..., None]
        credit_BMV = self.settings.beta * state.memory["credit_BMV"]
        credit_BMV = credit_BMV.scatter_add(-1, places_BM1, earned_BM[..., None])
        bonus_BKV = plain.at_read(credit_BMV).log1p()
        values_BKV = logits.values_BKV + self.settings.alpha * bonus_BKV.to(logits.values_BKV.dtype)
        return super().scored(
            state.remember(credit_BMV=credit_BMV), replace(logits, values_BKV=values_BKV), info
        )

    def commits(self, view: View) -> Tensor:
        """Return what is confident enough, and the best in any case."""
        chosen_BM = above(view.c_BM, self.settings.threshold, self.settings.strict)
        return at_least(chosen_BM, view.c_BM, 1, self.settings.tie_break, view.info.block)


DECODER = Decoder(
    settings=CreditSettings,
    make=Credit,
    about="threshold decoding that credits what was predicted before",
    title="credit",
    source="CreditDecoding, arXiv 2510.06133; dInfer",
    nfe="adaptive",
    shown=("threshold",),
    knob=Knob("threshold", 0.0, 1.0),
    examples=({},),
    only_with=dict.fromkeys(("beta", "exponent"), ("an alpha above 0", lambda settings: settings.alpha > 0)),
)
