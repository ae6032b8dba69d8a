"""Flow (arXiv 2606.29066) whose commits and revisions are those of other decoders: flow's side of `composed`.

Every open position moves as in `flow`, by its policy's step sizes. `rule`, which tokens with t < 0.99 are
hard-committed: progress, a few of the most confident beside what arrives by itself (flow's own); mask
prediction's quota; or all with c >= threshold, and the best. `revision`, what happens to tokens that had
arrived before the step: reedit, Eq. 10 (flow's own); keep; to_mask, x = m and t = 0 where the held token's
probability is low or another is certain (`token_to_mask`'s triggers low_prob and t2t); to_token, x =
e(argmax) and t = 1 where another token is certain (`token_editing`). Flow has no further looks: the budget is
all. Deviation: no paper has these.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from xpflow.decoding.axes.commits import above, at_least, first_ranks
from xpflow.decoding.axes.general import EDIT, REMASK
from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import Canvas
from xpflow.decoding.decoders.composed import RevisionKind
from xpflow.decoding.decoders.flow import DECODER as FLOW
from xpflow.decoding.decoders.flow import Flow, FlowSettings
from xpflow.decoding.decoders.flow_steps import FlowState, Reading
from xpflow.decoding.decoders.token_to_mask import BOUNDS
from xpflow.decoding.entry import Decoder
from xpflow.decoding.stepper import Logits, Setup, StepInfo
from xpflow.decoding.tokens import most_confident


class ComposedFlowSettings(FlowSettings):
    """Settings of `composed_flow`."""

    rule: Literal["progress", "quota", "threshold"] = Field(
        default="progress",
        description="Hard commitment: commits_per_step beside what arrives, a quota, or a threshold",
    )
    threshold: float = Field(default=0.9, ge=0.0, le=1.0, description="Of `rule: threshold`; c >= it")
    revision: RevisionKind = Field(
        default="reedit", description="What is taken back, and into what; it says what `reedit` is"
    )
    trigger: Literal["low_prob", "t2t"] = Field(default="low_prob", description="What is suspicious")
    bound: float | None = Field(
        default=None, ge=0.0, le=1.0, description="Of the trigger; none: low_prob 0.1, t2t 0.9"
    )
    share: float = Field(
        default=0.25, gt=0.0, le=1.0, description="Of the tokens, that one forward remasks at most (or one)"
    )
    per_position: int = Field(default=3, ge=0, description="Times that one place is remasked at most")
    edit_threshold: float = Field(
        default=0.9, ge=0.0, le=1.0, description="Replace a token by another argmax with c above it"
    )

    @model_validator(mode="before")
    @classmethod
    def _reedits_by_revision(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        reedits = values.get("revision", "reedit") == "reedit"
        if str(values.get("reedit", reedits)).lower() != str(reedits).lower():
            raise ValueError("revision says what reedit is: leave it out")
        return {**values, "reedit": reedits}


@dataclass(frozen=True)
class ComposedFlowState(FlowState):
    """With what a block held at its start, noise where open, and how often each place was remasked."""

    start_BM: Tensor
    times_BM: Tensor
    masks_B: Tensor


class ComposedFlow(Flow):
    """The stepper of `composed_flow`."""

    settings: ComposedFlowSettings

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.schedule = setup.schedule

    def begin(self, block: Block, canvas: Canvas) -> ComposedFlowState:
        """Return flow's state at the start of a block, and that nothing was remasked."""
        plain = super().begin(block, canvas)
        masks_B = block.open_BM[:, -block.length :].sum(-1)
        own = {one.name: getattr(plain, one.name) for one in fields(plain)}
        return ComposedFlowState(
            **own, start_BM=plain.held_BM, times_BM=torch.zeros_like(plain.held_BM), masks_B=masks_B
        )

    def commits(self, state: FlowState, c_BM: Tensor, info: StepInfo) -> Tensor:
        """Return what the rule takes of the tokens that wait."""
        chosen, block = self.settings, info.block
        if chosen.rule == "progress":
            return super().commits(state, c_BM, info)
        if chosen.rule == "threshold":
            sure_BM = above(c_BM, chosen.threshold, strict=False)
            return at_least(sure_BM, c_BM, 1, chosen.tie_break, block)
        assert isinstance(state, ComposedFlowState)
        return most_confident(c_BM, self.schedule.quota(info.step, state.masks_B), chosen.tie_break, block)

    def revise(
        self, old: FlowState, new: FlowState, reading: Reading, logits: Logits, info: StepInfo
    ) -> tuple[FlowState, dict[str, Tensor]]:
        """Return the state with tokens that had arrived before this step taken back."""
        assert isinstance(old, ComposedFlowState)
        assert isinstance(new, ComposedFlowState)
        none_BM = torch.zeros_like(info.block.open_BM)
        ended_B1 = (info.step + 1 >= info.block.steps_B)[:, None]
        arrived_BM = info.block.open_BM & (old.t_BM >= self.settings.commit_below)
        other_BM = arrived_BM & (reading.ids_BM != old.held_BM)
        if self.settings.revision == "to_token":
            edit_BM = other_BM & above(reading.c_BM, self.settings.edit_threshold)
            edit_BM = edit_BM & ~self._only_reads(old, info)[:, None]
            return self._edited(new, reading, edit_BM), {"remask": none_BM, "edit": edit_BM}
        if self.settings.revision == "to_mask":
            remask_BM = self._remasks(old, reading, logits, arrived_BM, other_BM) & ~ended_B1
            return self._remasked(new, remask_BM), {"remask": remask_BM, "edit": none_BM}
        return new, {"remask": none_BM, "edit": none_BM}

    def _remasks(
        self,
        old: ComposedFlowState,
        reading: Reading,
        logits: Logits,
        arrived_BM: Tensor,
        other_BM: Tensor,
    ) -> Tensor:
        """Return the worst of the suspicious tokens, as `token_to_mask` does."""
        chosen = self.settings
        bound = BOUNDS[chosen.trigger] if chosen.bound is None else chosen.bound
        if chosen.trigger == "t2t":
            worst_BM, doubted_BM = reading.c_BM, other_BM & (reading.c_BM > bound)
        else:
            p_BMV = logits.values_BKV.to(old.t_BM.dtype).softmax(-1)
            held_BM = p_BMV.gather(-1, old.held_BM[..., None])[..., 0]
            worst_BM, doubted_BM = -held_BM, arrived_BM & (held_BM < bound)
        able_BM = doubted_BM & (old.times_BM < chosen.per_position)
        most_B = (chosen.share * arrived_BM.sum(-1)).floor().long().clamp(min=1)
        return first_ranks(worst_BM, able_BM, most_B)

    def _remasked(self, state: ComposedFlowState, remask_BM: Tensor) -> FlowState:
        return replace(
            state,
            x_BME=torch.where(remask_BM[..., None], state.m_BPE, state.x_BME),
            t_BM=state.t_BM.masked_fill(remask_BM, 0.0),
            held_BM=torch.where(remask_BM, state.start_BM, state.held_BM),
            committed_BM=state.committed_BM & ~remask_BM,
            times_BM=state.times_BM + remask_BM,
        )

    def _edited(self, state: ComposedFlowState, reading: Reading, edit_BM: Tensor) -> FlowState:
        return replace(
            state,
            x_BME=torch.where(edit_BM[..., None], reading.x_BME, state.x_BME),
            t_BM=state.t_BM.masked_fill(edit_BM, 1.0),
            held_BM=torch.where(edit_BM, reading.ids_BM, state.held_BM),
        )


DECODER = Decoder(
    settings=ComposedFlowSettings,
    make=ComposedFlow,
    about="flow with the commits and revisions of other decoders, freely combined",
    title="composed flow",
    takes_policy=True,
    shown=("rule", "revision"),
    events=(*FLOW.events[:-1], EDIT, REMASK, FLOW.events[-1]),
    replay=FLOW.replay,
    examples=(
        {},
        {"rule": "quota", "revision": "keep"},
        {"rule": "threshold", "threshold": 0.3, "revision": "to_token", "edit_threshold": 0.2},
        {"policy": "confidence:1", "revision": "to_mask", "bound": 0.5},
        {"policy": "constant:0.5", "revision": "to_mask", "trigger": "t2t", "bound": 0.2},
    ),
    only_with={
        **FLOW.only_with,
        "commits_per_step": (
            "commit: true and rule: progress",
            lambda settings: settings.commit and settings.rule == "progress",
        ),
        "threshold": ("rule: threshold", lambda settings: settings.rule == "threshold"),
        **dict.fromkeys(
            ("trigger", "bound", "share", "per_position"),
            ("revision: to_mask", lambda settings: settings.revision == "to_mask"),
        ),
        "edit_threshold": ("revision: to_token", lambda settings: settings.revision == "to_token"),
    },
)
