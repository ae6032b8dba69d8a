"""EB-Sampler: commit masks from the most certain on while their entropies, the largest aside, fit a budget.

Source: Ben-Hamu et al. 2025, arXiv 2505.24857; the rule as in diffusers' scheduling_entropy_bound.py.
Entropies are in nats and of one position's marginal: gamma means the same thing across vocabularies only
near certainty.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from xpflow.decoding.axes.commits import at_least, by_entropy
from xpflow.decoding.axes.general import AxisSettings, AxisStepper
from xpflow.decoding.axes.view import View
from xpflow.decoding.entry import Decoder, Knob


class EntropyBoundSettings(AxisSettings):
    """Settings of `entropy_bound`."""

    gamma: float = Field(default=0.1, description="Entropy budget of a step in nats; below 0, one a step")
    order: Literal["entropy", "confidence"] = Field(
        default="entropy", description="Which masks come first: of least entropy, or most confident"
    )


class EntropyBound(AxisStepper):
    """The stepper of `entropy_bound`."""

    settings: EntropyBoundSettings

    def commits(self, view: View) -> Tensor:
        """Return the masks that fit the budget, and the first in order in any case."""
        score_BM = view.c_BM
        if self.settings.order == "entropy":
            score_BM = (-view.entropy_BM).masked_fill(~view.able_BM, -float("inf"))
        chosen_BM = by_entropy(score_BM, view.entropy_BM, view.able_BM, self.settings.gamma)
        return at_least(chosen_BM, score_BM, 1, self.settings.tie_break, view.info.block)


DECODER = Decoder(
    settings=EntropyBoundSettings,
    make=EntropyBound,
    about="commit the most certain masks whose entropies fit a budget",
    title="entropy bound",
    source="EB-Sampler (Ben-Hamu et al. 2025), arXiv 2505.24857",
    nfe="adaptive",
    shown=("gamma",),
    knob=Knob("gamma", 0.0, 8.0, rises=False),
    examples=({},),
)
