"""WINO: commit wide, look at every token again without itself, and mask the doubtful ones.

Behind the canvas stands a shadow of the block: its places once more, as masks, each of which sees everything
but the token at its own place. v = the held token's probability there. A step commits masks with c > tau, at
least one and at most a share of the masks; where it commits several, tokens with v < verify become masks
again, fewer than the step before committed, the worst first. So at most one forward a place.
Source: Hong et al. 2025, arXiv 2507.18578. Deviations: the published ceiling clamp(0.7 |A|, 5, 20) counts
tokens of a block of 128; `ceiling_low` and `ceiling_high` are shares of the block. A forward is fed the block
twice, which the public count of steps leaves out: see `positions`. No key-value cache.
"""

from __future__ import annotations

import inspect
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from xpflow.decoding.axes.commits import first_ranks
from xpflow.decoding.axes.general import EVENTS, AxisStepper, Revision
from xpflow.decoding.axes.view import AxisState, View
from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import Canvas
from xpflow.decoding.decoders.remix import CeilingSettings, up_to_ceiling
from xpflow.decoding.entry import Decoder, Knob
from xpflow.decoding.stepper import Query, Setup
from xpflow.decoding.tokens import TokenState
from xpflow.errors import DecodingError


class WinoSettings(CeilingSettings):
    """Settings of `wino`."""

    threshold: float = Field(default=0.7, ge=0.0, le=1.0, description="tau: commit c > tau")
    verify: float = Field(default=0.9, ge=0.0, le=1.0, description="A token with a lower v is masked again")
    kv_cache: Literal["off"] = Field(default="off", description="The shadow stands behind the whole canvas")


class Wino(AxisStepper):
    """The stepper of `wino`."""

    settings: WinoSettings

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        takes = inspect.signature(getattr(setup.model, "forward", setup.model)).parameters.values()
        if not any(one.name == "position_ids" or one.kind is one.VAR_KEYWORD for one in takes):
            raise DecodingError(
                "the model's forward takes no position_ids, and a shadow of the block needs them",
                hint="choose a decoder without a shadow: threshold, token_to_mask",
            )

    def query(self, state: TokenState, block: Block) -> Query:
        """Return the masks and, in the shadow, the tokens."""
        return Query(self.inputs(state), block.open_BM, block.open_BM & ~state.masked_BM)

    def first_memory(self, state: AxisState, block: Block, canvas: Canvas) -> dict[str, Tensor]:
        """Return that nothing was committed: there is nothing to mask again either."""
        return {"done_B": torch.zeros_like(state.masks_B)}

    def commits(self, view: View) -> Tensor:
        """Return what is confident enough, the best at least, up to the ceiling."""
        return up_to_ceiling(view, self.settings, self.settings.threshold)

    def revises(self, view: View, commit_BM: Tensor) -> Revision:
        """Return the tokens that their surroundings doubt, the worst of them."""
        doubtful_BM = view.decided_BM & (view.support_BM < self.settings.verify)
        doubtful_BM = doubtful_BM & (commit_BM.sum(-1) > 1)[:, None]
        most_B = (view.state.memory["done_B"] - 1).clamp(min=0)
        remask_BM = first_ranks(-view.support_BM, doubtful_BM, most_B)
        return Revision(remask_BM, torch.zeros_like(remask_BM))

    def remembered(self, view: View, new: AxisState, commit_BM: Tensor, change: Revision) -> AxisState:
        """Keep how many masks this step committed."""
        return new.remember(done_B=commit_BM.sum(-1))


DECODER = Decoder(
    settings=WinoSettings,
    make=Wino,
    about="commit wide, verify every token without itself, mask the doubtful ones",
    title="WINO",
    source="WINO (Hong et al. 2025), arXiv 2507.18578",
    nfe="adaptive",
    shown=("threshold", "verify"),
    knob=Knob("threshold", 0.0, 1.0),
    events=EVENTS,
    examples=({}, {"threshold": 0.1, "verify": 0.6, "ceiling_high": 0.5, "at_cap": "continue"}),
)
