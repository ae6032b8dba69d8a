"""Asking a policy inside a decoder: which one is meant, what it is shown, and that its answer is one."""

from __future__ import annotations

from typing import Any, Literal, cast

from torch import Tensor, nn

from xpflow.decoding.policies.base import (
    TOP,
    Action,
    Policy,
    PolicyInfo,
    RecorderStep,
    as_action,
    policy_features,
)
from xpflow.decoding.policies.learned import LearnedPolicy, SampledPolicy
from xpflow.decoding.policies.load import load_policy
from xpflow.decoding.stepper import Setup, StepInfo
from xpflow.errors import DecodingError

Rho = Literal["block", "global"]


def chosen_policy(setup: Setup, named: str, action: str, expectation: str = "A") -> Policy:
    """Return the policy that was passed; without one, the one that the settings name.

    Args:
        action: what a learned one must have been trained for, "step" or "commit".
    Raises:
        DecodingError: it is none, was trained for another action, or looks at more tokens than there are.
    """
    policy = named if setup.policy is None else setup.policy
    if isinstance(policy, str):
        policy = load_policy(policy, expectation=expectation)
        if isinstance(policy, nn.Module):
            policy.to(setup.facts.device)
    if not callable(policy):
        raise DecodingError(
            f"not a step-size policy: {policy!r}", hint="pass a callable, or a spec in settings.policy"
        )
    found = cast(Policy, policy)
    require_action(found, setup.settings.decoder, action)
    if found.needs_features and setup.facts.vocabulary < TOP:
        raise DecodingError(
            f"the policy looks at the {TOP} best tokens, and the model has {setup.facts.vocabulary}",
            hint="take confidence:K",
        )
    return found


def require_action(policy: Policy, decoder: str, action: str) -> None:
    """Raise DecodingError for a learned policy that was trained for another action than a decoder's."""
    learned = policy.policy if isinstance(policy, SampledPolicy) else policy
    if isinstance(learned, LearnedPolicy) and learned.shape.action != action:
        uses = {"step": "gives step sizes, as flow takes them", "commit": "commits, as unmasking does"}
        raise DecodingError(
            f"the policy {uses[learned.shape.action]}: {decoder} needs one that "
            f"{uses[action].partition(',')[0]}",
            hint=f"train one: xpflow grpo, with grpo.decoder: {decoder}",
        )


def ask(
    policy: Policy,
    recorder: Any,
    logits_BMV: Tensor,
    state: tuple[Tensor, Tensor, Tensor],
    info: StepInfo,
    rho: Rho,
) -> Action:
    """Return a policy's answer at the places of a block.

    Args:
        recorder: called with the decision, unless None.
        state: confidence c_BM, progress t_BM, and which places can move, bool `[B, M]`.
    Raises:
        DecodingError: a step size is not finite; it names row and step.
    """
    c_BM, t_BM, free_BM = state
    step_B, total_B = info.steps_before_B + info.step, info.steps_total_B
    if rho == "block":
        step_B, total_B = 0 * step_B + info.step, info.block.steps_B
    rho_B = (step_B / (total_B - 1).clamp(min=1)).to(t_BM.dtype)
    about = PolicyInfo(c_BM, t_BM, rho_B, free_BM, info.rows_B, info.step, info.block.number)
    features = policy_features(logits_BMV, t_BM, rho_B) if policy.needs_features else None
    action = as_action(policy(features, about))
    if not bool(action.a_BM.isfinite().all()):
        index = int((~action.a_BM.isfinite()).any(-1).nonzero()[0])
        raise DecodingError(
            f"{info.place(index)}: the policy gave a step size that is not finite",
            hint="train the policy again, or take confidence:8",
        )
    if recorder is not None:
        recorder(RecorderStep(about, info.block.offset_BM, features, action))
    return action
