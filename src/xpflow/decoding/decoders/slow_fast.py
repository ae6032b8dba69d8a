"""SlowFast: explore the block until its confident part stands still, then commit that part fast.

A cycle begins where the last span ended. Slow steps commit all masks of the rest with c >= tau if these are
several, the best otherwise, and note how far confidence reaches: the end e = one past the last mask with
c >= reach, or one past the cycle's start. When the last `window` ends are close together (standard deviation
below `spread`) the span ends at the last of them, after `explore` steps at their mean, rounded down. Fast
steps commit in the same way within the span until it is full.
Source: Wei et al. 2025, arXiv 2506.10848. Deviations: the public loop explores to the last step although it
knows the end, which `explore_all` repeats; its fast steps cut off what is behind the span, and ours see the
whole block; forwards that would commit nothing are not run. `explore` counts steps of a block of 256: here
it is a share of the block, one step at least.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from xpflow.decoding.axes.commits import above, at_least
from xpflow.decoding.axes.general import AxisSettings, AxisStepper, Revision
from xpflow.decoding.axes.view import AxisState, View
from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import Canvas
from xpflow.decoding.entry import Decoder, Knob


class SlowFastSettings(AxisSettings):
    """Settings of `slow_fast`; the public code has reach 0.3, threshold 0.9 and explore 6."""

    threshold: float = Field(default=0.85, ge=0.0, le=1.0, description="tau: commit c >= tau, if several")
    reach: float = Field(default=0.1, ge=0.0, le=1.0, description="Confidence that ends a span from behind")
    explore: float = Field(default=8 / 256, ge=0.0, le=1.0, description="Slow steps, as a share of the block")
    explore_all: bool = Field(
        default=False, description="Take all slow steps of a cycle, as the public code does"
    )
    window: int = Field(default=2, ge=1, description="Ends that must be close together")
    spread: float = Field(
        default=1.0, ge=0.0, description="Below this standard deviation they are, in places"
    )


class SlowFast(AxisStepper):
    """The stepper of `slow_fast`."""

    settings: SlowFastSettings

    def first_memory(self, state: AxisState, block: Block, canvas: Canvas) -> dict[str, Tensor]:
        """Return that a cycle begins at the block's first open place; an end of 0: the span has none yet."""
        zero_B = torch.zeros_like(state.masks_B)
        ends_BW = zero_B[:, None].expand(-1, self.settings.window).double() * torch.nan
        start_B = block.open_BM.byte().argmax(-1)
        return {"start_B": start_B, "end_B": zero_B, "slow_B": zero_B, "ends_BW": ends_BW}

    def commits(self, view: View) -> Tensor:
        """Return the confident masks of the span, or of the rest in slow steps, the best at least."""
        memory = view.state.memory
        place_BM = self._places(view)
        slow_B = self._explores(view, memory["end_B"], memory["slow_B"])
        end_B = torch.where(slow_B, place_BM.shape[1], memory["end_B"])
        inside_BM = (place_BM >= memory["start_B"][:, None]) & (place_BM < end_B[:, None])
        c_BM = view.c_BM.masked_fill(~inside_BM, -torch.inf)
        sure_BM = above(c_BM, self.settings.threshold, strict=False)
        sure_BM = sure_BM & (sure_BM.sum(-1, keepdim=True) > 1)
        return at_least(sure_BM, c_BM, 1, self.settings.tie_break, view.info.block)

    def remembered(self, view: View, new: AxisState, commit_BM: Tensor, change: Revision) -> AxisState:
        """End the span where confidence stands still, and begin the next there once it is full."""
        memory, place_BM = view.state.memory, self._places(view)
        slow_B = memory["slow_B"] + self._explores(view, memory["end_B"], memory["slow_B"])
        looks_B = memory["end_B"] == 0
        far_BM = (view.c_BM >= self.settings.reach) & (place_BM >= memory["start_B"][:, None])
        last_B = torch.where(far_BM, place_BM + 1, 0).max(-1).values
        found_B = torch.maximum(last_B, memory["start_B"] + 1).double()
        ends_BW = torch.cat((memory["ends_BW"][:, 1:], found_B[:, None]), dim=1)
        ends_BW = torch.where(looks_B[:, None], ends_BW, memory["ends_BW"])
        close_B = ends_BW.std(-1, correction=0) < self.settings.spread  # NaN while there are too few
        mean_B = ends_BW.nanmean(-1).floor().long()
        end_B = torch.where(close_B, found_B.long(), torch.where(slow_B >= self._most(view), mean_B, 0))
        end_B = torch.where(looks_B, end_B, memory["end_B"])
        inside_BM = (place_BM >= memory["start_B"][:, None]) & (place_BM < end_B[:, None])
        full_B = ~self._explores(view, end_B, slow_B) & ~(new.masked_BM & inside_BM).any(-1)
        return new.remember(
            start_B=torch.where(full_B, end_B, memory["start_B"]),
            end_B=torch.where(full_B, 0, end_B),
            slow_B=torch.where(full_B, 0, slow_B),
            ends_BW=torch.where(full_B[:, None], torch.nan, ends_BW),
        )

    def _most(self, view: View) -> int:
        """Return the slow steps of a cycle, at most."""
        return max(1, round(self.settings.explore * view.info.block.length))

    def _explores(self, view: View, end_B: Tensor, slow_B: Tensor) -> Tensor:
        """Return whether a cycle's next step is slow, after some slow steps that found an end or none."""
        return slow_B < self._most(view) if self.settings.explore_all else end_B == 0

    @staticmethod
    def _places(view: View) -> Tensor:
        """Return the number of every place in the block."""
        return torch.arange(view.masked_BM.shape[1], device=view.masked_BM.device).expand_as(view.masked_BM)


DECODER = Decoder(
    settings=SlowFastSettings,
    make=SlowFast,
    about="explore until the confident part stands still, then commit it fast",
    title="SlowFast",
    source="SlowFast sampling (Wei et al. 2025), arXiv 2506.10848",
    nfe="adaptive",
    shown=("threshold", "reach"),
    knob=Knob("threshold", 0.0, 1.0),
    examples=({}, {"threshold": 0.1, "reach": 0.05, "explore": 0.2, "at_cap": "continue"}),
)
