"""The factor rule: commit the n most confident masks as long as (k + 1)(1 - c_(k)) <= f for every k <= n.

If each of n marginals errs with probability at most e and (n + 1) e <= 1, the most likely tokens one by one
are the most likely tokens together. Source: Fast-dLLM (Wu et al. 2025), the "factor" strategy. `last:
exempt` repeats the public code, in which the last mask of a block goes whenever all before it do.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from xpflow.decoding.axes.commits import at_least, by_factor
from xpflow.decoding.axes.general import AxisSettings, AxisStepper
from xpflow.decoding.axes.view import View
from xpflow.decoding.entry import Decoder, Knob


class FactorSettings(AxisSettings):
    """Settings of `factor`."""

    factor: float = Field(default=1.0, description="f: larger commits more at once; below 0, one a step")
    last: Literal["rule", "exempt"] = Field(
        default="rule", description="exempt: the last mask goes with the others, as in the public code"
    )


class Factor(AxisStepper):
    """The stepper of `factor`."""

    settings: FactorSettings

    def commits(self, view: View) -> Tensor:
        """Return the largest prefix that the rule allows, and the best in any case."""
        chosen_BM = by_factor(view.c_BM, self.settings.factor, self.settings.last == "exempt")
        return at_least(chosen_BM, view.c_BM, 1, self.settings.tie_break, view.info.block)


DECODER = Decoder(
    settings=FactorSettings,
    make=Factor,
    about="commit the most confident masks as long as their joint error stays bounded",
    title="factor",
    source="Fast-dLLM (Wu et al. 2025), factor strategy",
    nfe="adaptive",
    shown=("factor",),
    knob=Knob("factor", 0.0, 8.0, rises=False),
    examples=({},),
)
