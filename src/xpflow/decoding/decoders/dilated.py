"""Dilated unmasking (DUS): the order is fixed in advance, coarse strides first.

Round r of a block of b = a^R places takes those at every (b / a^r)-th place: log_a b forwards a block,
whatever the model says. Source: arXiv 2506.19037; its code was not at hand, so this follows its
description. Deviation: with noise left after the last round (a prompt's tail in the block), the rest goes
with it.
"""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from xpflow.decoding.axes.commits import by_round
from xpflow.decoding.axes.general import AxisSettings, AxisStepper
from xpflow.decoding.axes.view import View
from xpflow.decoding.entry import Decoder


class DilatedSettings(AxisSettings):
    """Settings of `dilated`."""

    base: int = Field(default=2, ge=2, description="a: strides shrink by this factor from round to round")


class Dilated(AxisStepper):
    """The stepper of `dilated`."""

    settings: DilatedSettings

    def commits(self, view: View) -> Tensor:
        """Return the next round's places."""
        return by_round(view.info.block, view.able_BM, self.settings.base)


DECODER = Decoder(
    settings=DilatedSettings,
    make=Dilated,
    about="commit by a fixed order of strides, coarse first",
    title="dilated",
    source="DUS, arXiv 2506.19037",
    nfe="adaptive",
    shown=("base",),
    examples=({},),
)
