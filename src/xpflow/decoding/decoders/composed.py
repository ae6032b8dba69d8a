"""A decoder whose axes are free: what masks show, which of them become tokens, what is taken back.

`weight` and `geometry`: plain masks (weight 0), or mixtures along the line or the sphere (`soft_tokens`).
`rule`: mask prediction's quota, a threshold, an entropy budget, or progress: every mask has a t that the
policy's step sizes move as they move flow's, 1 - t <- (1 - a)(1 - t), and becomes a token where t reaches
`arrival`; the best in any case, which is flow's hard commitment. `revision`: keep; to_mask (`token_to_mask`);
to_token (`token_editing`); reedit: Eq. 10 of flow (arXiv 2606.29066), where a token (t = 1) has
c - t < -margin: it is a mask again, shown once as the mixture of m and its prediction with weight c, t = c.
Flow's own state is `composed_flow`; with its axes elsewhere the corners of this one are the named decoders.

Deviation: no paper has these combinations. A plain mask has nothing between mask and token, so that `reedit`
needs a weight above 0. `progress` without flow's state is ours: the hard counterpart of a learned step size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from xpflow.decoding.axes.commits import at_least
from xpflow.decoding.axes.feedback import mixture
from xpflow.decoding.axes.general import EVENTS, Revision
from xpflow.decoding.axes.view import AxisState, View
from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import Canvas
from xpflow.decoding.decoders.soft_tokens import DECODER as SOFT_TOKENS
from xpflow.decoding.decoders.soft_tokens import SoftTokens, SoftTokensSettings
from xpflow.decoding.decoders.token_editing import PostStepper, TokenEditing, TokenEditingSettings
from xpflow.decoding.decoders.token_to_mask import TokenToMask, TokenToMaskSettings
from xpflow.decoding.entry import Decoder
from xpflow.decoding.policies.asked import Rho, ask, chosen_policy
from xpflow.decoding.stepper import Logits, Setup, StepInfo
from xpflow.decoding.tokens import TokenState

RevisionKind = Literal["keep", "to_mask", "to_token", "reedit"]


class ComposedSettings(SoftTokensSettings, TokenToMaskSettings, TokenEditingSettings):
    """Settings of `composed`."""

    rule: Literal["quota", "threshold", "entropy", "progress"] = Field(  # type: ignore[assignment]
        default="progress",
        description="What commits: mask prediction's quota, a threshold, an entropy budget, or t that the "
        "policy moves",
    )
    revision: RevisionKind = Field(default="keep", description="What is taken back, and into what")
    policy: str = Field(default="confidence:8", description="Of `rule: progress`: policy when none is passed")
    expectation: Literal["A", "B"] = Field(
        default="A", description="Learned policy without sampling: A is E[a], B is a(E[y])"
    )
    rho: Rho = Field(default="block", description="The policy's clock l/(T-1) restarts per block or not")
    arrival: float = Field(
        default=0.99, ge=0.0, le=1.0, description="Of `rule: progress`: t at which a mask becomes a token"
    )
    reedit_margin: float = Field(default=0.1, ge=0.0, description="Re-edit when c - t < -margin")

    @model_validator(mode="after")
    def _has_somewhere_to_go_back_to(self) -> Self:
        if self.revision == "reedit" and self.weight == 0.0:
            raise ValueError("plain masks (weight 0) have nothing between mask and token to re-edit to")
        return self


@dataclass(frozen=True)
class Progressed(View):
    """A view with the progress that masks have made after the policy's step sizes."""

    t_BM: Tensor


class Composed(SoftTokens):
    """The stepper of `composed`; making one gives that of the revision which the settings name."""

    settings: ComposedSettings

    def __new__(cls, setup: Setup) -> Self:
        """Return a stepper of the class that revises as the settings say."""
        assert isinstance(setup.settings, ComposedSettings)
        chosen = STEPPERS[setup.settings.revision]
        assert issubclass(chosen, cls)
        return object.__new__(chosen)

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.by_progress, self.recorder = self.settings.rule == "progress", setup.recorder
        if self.by_progress:
            self.policy = chosen_policy(setup, self.settings.policy, "step", self.settings.expectation)

    def first_memory(self, state: AxisState, block: Block, canvas: Canvas) -> dict[str, Tensor]:
        """Return that no mask has made progress."""
        memory = super().first_memory(state, block, canvas)
        t_BM = (~state.masked_BM).to(torch.float32)
        return {**memory, "t_BM": t_BM} if self.by_progress else memory

    def wanted(self, state: TokenState, block: Block) -> Tensor | None:
        """Return None where a policy is asked, whose features are of every place."""
        return None if self.by_progress else super().wanted(state, block)

    def scored(self, state: AxisState, logits: Logits, info: StepInfo) -> View:
        """Return predictions and confidences, and progress."""
        view = super().scored(state, logits, info)
        if not self.by_progress:
            return view
        t_BM, c_BM = state.memory["t_BM"], view.found.confidence.to(torch.float32)
        action = ask(
            self.policy, self.recorder, logits.values_BKV, (c_BM, t_BM, view.able_BM), info, self.settings.rho
        )
        moved_BM = 1.0 - (1.0 - action.a_BM.to(t_BM.dtype)) * (1.0 - t_BM)  # Eq. 8
        return Progressed(state, view.found, logits, info, torch.where(view.able_BM, moved_BM, t_BM))

    def commits(self, view: View) -> Tensor:
        """Return the masks that the rule takes, and the best in any case."""
        if not isinstance(view, Progressed):
            return super().commits(view)
        arrived_BM = view.able_BM & (view.t_BM >= self.settings.arrival)
        return at_least(arrived_BM, view.c_BM, 1, self.settings.tie_break, view.info.block)

    def remembered(self, view: View, new: AxisState, commit_BM: Tensor, change: Revision) -> AxisState:
        """Keep the progress of masks: 0 where a token became one."""
        new = super().remembered(view, new, commit_BM, change)
        if not isinstance(view, Progressed):
            return new
        t_BM = view.t_BM.masked_fill(change.remask_BM, 0.0)
        return new.remember(t_BM=torch.where(new.masked_BM, t_BM, 1.0))


class ComposedToMask(Composed, TokenToMask):
    """With suspicious tokens that become masks."""

    settings: ComposedSettings


class ComposedToToken(Composed, TokenEditing):
    """With tokens that a better one replaces."""

    settings: ComposedSettings


class ComposedReedit(Composed, PostStepper):
    """With Eq. 10: doubtful tokens are mixtures of mask and prediction again."""

    settings: ComposedSettings

    def revises(self, view: View, commit_BM: Tensor) -> Revision:
        """Return the tokens with c - 1 < -margin."""
        c_BM = view.found.confidence.to(torch.float32)
        remask_BM = view.decided_BM & (c_BM - 1.0 < -self.settings.reedit_margin)
        return Revision(remask_BM, torch.zeros_like(remask_BM))

    def remembered(self, view: View, new: AxisState, commit_BM: Tensor, change: Revision) -> AxisState:
        """Show what was re-edited as c of its prediction and 1 - c of the mask, at t = c."""
        new = super().remembered(view, new, commit_BM, change)
        m_BME, c_BM = new.memory["m_BME"], view.found.confidence
        back_BME = mixture(m_BME, self.embed(view.found.ids.clamp(min=0)), c_BM, self.settings.geometry)
        shown_BME = torch.where(change.remask_BM[..., None], back_BME.to(m_BME.dtype), new.memory["x_BME"])
        new = new.remember(x_BME=shown_BME)
        if not self.by_progress:
            return new
        return new.remember(t_BM=torch.where(change.remask_BM, c_BM.to(torch.float32), new.memory["t_BM"]))


STEPPERS: dict[RevisionKind, type[Composed]] = {
    "keep": Composed,
    "to_mask": ComposedToMask,
    "to_token": ComposedToToken,
    "reedit": ComposedReedit,
}


DECODER = Decoder(
    settings=ComposedSettings,
    make=Composed,
    about="state, commits and revision of other decoders, freely combined",
    title="composed",
    takes_policy=True,
    asks_policy=lambda settings: settings.rule == "progress",
    nfe="adaptive",
    shown=("weight", "geometry", "rule", "revision"),
    events=EVENTS,
    examples=(
        {},
        {"weight": 0.0, "rule": "quota", "revision": "to_mask", "bound": 0.5},
        {"geometry": "linear", "rule": "threshold", "threshold": 0.3, "revision": "reedit"},
        {"policy": "confidence:1", "revision": "reedit", "at_cap": "continue"},
        {"rule": "threshold", "threshold": 0.3, "revision": "to_token", "edit_threshold": 0.2},
    ),
    only_with={
        **SOFT_TOKENS.only_with,
        **dict.fromkeys(
            ("expectation", "rho", "arrival", "policy"),
            ("rule: progress", lambda settings: settings.rule == "progress"),
        ),
        **dict.fromkeys(
            ("trigger", "bound", "share", "per_position"),
            ("revision: to_mask", lambda settings: settings.revision == "to_mask"),
        ),
        "edit_threshold": ("revision: to_token", lambda settings: settings.revision == "to_token"),
        "reedit_margin": ("revision: reedit", lambda settings: settings.revision == "reedit"),
        "post_steps": ("a revision", lambda settings: settings.revision != "keep"),
    },
)
