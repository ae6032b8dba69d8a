"""Learned unmasking: a policy decides for each mask whether it becomes a token in this step.

The same learner, features and rollouts as flow's step sizes (`xpflow grpo` with `grpo.decoder: unmasking`),
with a binary action: what is left of the difference is the step size's own. A mask is committed where its
chance is at least one half, or by a coin of that chance above `policy_temperature` 0; where nothing is, the
mask of the highest chance. A hand-made policy's a is taken for the chance: confidence:K is a threshold.
Source: Learning Unmasking Policies, arXiv 2512.09106. Deviations: the policy is ours (eight features and two
layers for each token, where theirs is a transformer over the response), and evaluation does not draw unless
asked to.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from xpflow.decoding.axes.commits import or_else
from xpflow.decoding.axes.general import AxisSettings, AxisStepper
from xpflow.decoding.axes.view import View
from xpflow.decoding.blocks import Block
from xpflow.decoding.entry import Decoder
from xpflow.decoding.policies.asked import Rho, ask, chosen_policy
from xpflow.decoding.stepper import Setup
from xpflow.decoding.tokens import TokenState, most_confident


class UnmaskingSettings(AxisSettings):
    """Settings of `unmasking`."""

    policy: str = Field(default="confidence:8", description="Policy when none is passed: a spec or a file")
    policy_temperature: float = Field(
        default=0.0,
        ge=0.0,
        description="Draw commits from the chances, at this temperature; 0: do not",
    )
    rho: Rho = Field(default="block", description="The policy's clock l/(T-1) restarts per block or not")


class Unmasking(AxisStepper):
    """The stepper of `unmasking`."""

    settings: UnmaskingSettings

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.policy, self.recorder = chosen_policy(setup, self.settings.policy, "commit"), setup.recorder

    def wanted(self, state: TokenState, block: Block) -> Tensor | None:
        """Return None: the policy's features are of every place."""
        return None

    def commits(self, view: View) -> Tensor:
        """Return the masks that the policy commits, the likeliest in any case."""
        t_BM = (~view.masked_BM).to(torch.float32)
        c_BM = view.found.confidence.to(torch.float32)
        state = (c_BM, t_BM, view.able_BM)
        action = ask(self.policy, self.recorder, view.logits.values_BKV, state, view.info, self.settings.rho)
        chance_BM = action.a_BM if action.chance_BM is None else action.chance_BM
        chosen_BM = action.a_BM >= 0.5
        if action.y_BM is None and self.settings.policy_temperature > 0:
            odds_BM = chance_BM.logit(1e-6) / self.settings.policy_temperature
            chosen_BM = self._coins(view) < odds_BM.sigmoid()
        chosen_BM = chosen_BM & view.able_BM
        best_BM = chance_BM.double().masked_fill(~view.able_BM, -torch.inf)
        return or_else(chosen_BM, most_confident(best_BM, 1, self.settings.tie_break, view.info.block))

    def _coins(self, view: View) -> Tensor:
        """Return a number from U[0, 1) for every place, of the row's own stream."""
        size = (view.masked_BM.shape[1],)
        rows = view.info.rows_B.tolist()
        return torch.stack([self.random.uniform(row, size, torch.float32) for row in rows])


DECODER = Decoder(
    settings=UnmaskingSettings,
    make=Unmasking,
    about="a policy commits each mask or leaves it",
    title="learned unmasking",
    source="Learning Unmasking Policies, arXiv 2512.09106",
    takes_policy=True,
    nfe="adaptive",
    policy_action="commit",
    draws=lambda settings: settings.temperature > 0 or settings.policy_temperature > 0,
    examples=({}, {"policy": "confidence:2", "policy_temperature": 0.7, "at_cap": "continue"}),
)
