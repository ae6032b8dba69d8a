"""AdaBlock: threshold decoding in spans that end where the model predicts the end of a line.

The forward that begins a span also ends it: of the next places, `look` N of them, the delimiter that is
predicted with the highest probability ends the span (inclusive) if that is at least `delimiter_threshold`;
else the span is `span` tokens. Within it masks with c >= tau become tokens, the best one always.
Source: Lu et al. 2025, arXiv 2509.26432 (ICLR 2026). The published delimiter is one id of one tokenizer: here
it is the model's own token for a line end, or those of `delimiters`. Spans lie inside the blocks of the
schedule: leave `block_length` at its default on bidirectional models.
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
from xpflow.decoding.stepper import Setup
from xpflow.errors import DecodingError


class AdaBlockSettings(AxisSettings):
    """Settings of `adablock`."""

    threshold: float = Field(default=0.9, ge=0.0, le=1.0, description="tau: commit c >= tau")
    delimiter_threshold: float = Field(
        default=0.3, ge=0.0, description="Probability of a delimiter that ends a span; above 1: none does"
    )
    delimiters: tuple[int, ...] | None = Field(
        default=None, description="Token ids that may end a span; none: the tokenizer's line end"
    )
    span: int = Field(default=32, gt=0, description="Tokens of a span that no delimiter ends")
    look: float = Field(default=0.25, gt=0.0, le=1.0, description="Share of N in which delimiters count")


class AdaBlock(AxisStepper):
    """The stepper of `adablock`."""

    settings: AdaBlockSettings

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        chosen = self.settings
        known = (
            getattr(setup.model, "newline_token_ids", None)
            if chosen.delimiters is None
            else chosen.delimiters
        )
        if not known and chosen.delimiter_threshold <= 1:
            raise DecodingError(
                "adablock does not know which tokens end a line",
                hint="load the model with its tokenizer, or name ids: --set delimiters=[198]",
            )
        if wrong := [one for one in known or () if not 0 <= one < self.facts.vocabulary]:
            raise DecodingError(
                f"delimiters: {wrong[0]} is no id of the model's vocabulary",
                hint=f"the model has the ids 0 to {self.facts.vocabulary - 1}",
            )
        self.ends = torch.tensor(sorted(known or ()), dtype=torch.long, device=self.facts.device)

    def first_memory(self, state: AxisState, block: Block, canvas: Canvas) -> dict[str, Tensor]:
        """Return that no span has begun: it ends before the block does."""
        return {"end_B": torch.zeros_like(state.masks_B)}

    def commits(self, view: View) -> Tensor:
        """Return the confident masks of the span, the best at least."""
        place_BM = torch.arange(view.masked_BM.shape[1], device=view.masked_BM.device)
        c_BM = view.c_BM.masked_fill(place_BM >= self._end(view)[:, None], -torch.inf)
        sure_BM = above(c_BM, self.settings.threshold, strict=False)
        return at_least(sure_BM, c_BM, 1, self.settings.tie_break, view.info.block)

    def remembered(self, view: View, new: AxisState, commit_BM: Tensor, change: Revision) -> AxisState:
        """Keep where the span ends."""
        return new.remember(end_B=self._end(view))

    def _end(self, view: View) -> Tensor:
        """Return one past the span's last place, `[B]`: as before while the span has masks."""
        place_BM = torch.arange(view.masked_BM.shape[1], device=view.masked_BM.device).expand_as(
            view.masked_BM
        )
        size, old_B = place_BM.shape[1], view.state.memory["end_B"]
        begins_B = ~(view.masked_BM & (place_BM < old_B[:, None])).any(-1)
        first_B = torch.where(view.masked_BM, place_BM, size - 1).min(-1).values
        reach_B = first_B + int(self.settings.look * self.schedule.settings.gen_length)
        ends_BM = torch.isin(view.found.ids, self.ends) & view.masked_BM & (place_BM < reach_B[:, None])
        p_BM = view.c_BM.masked_fill(~ends_BM, -torch.inf)
        best = p_BM.max(-1)
        found_B = best.values >= self.settings.delimiter_threshold
        end_B = torch.where(found_B, best.indices + 1, first_B + self.settings.span)
        return torch.where(begins_B, end_B, old_B)


DECODER = Decoder(
    settings=AdaBlockSettings,
    make=AdaBlock,
    about="threshold decoding in spans that end where a line does",
    title="AdaBlock",
    source="AdaBlock-dLLM, arXiv 2509.26432",
    nfe="adaptive",
    shown=("threshold",),
    knob=Knob("threshold", 0.0, 1.0),
    examples=(
        {"span": 8},
        {"threshold": 0.05, "delimiters": [5, 6, 7], "delimiter_threshold": 0.0, "at_cap": "continue"},
    ),
)
