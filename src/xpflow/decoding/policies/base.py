"""Step-size policies: how far each token moves in one flow step, a in [0, 1].

A policy is called as `policy(features_BM8, info)` and returns a tensor a_BM or an `Action`. Cheap policies
set `needs_features = False` and get None; `info` always carries the confidence c and the progress t.
Specs: "constant:0.3", "confidence:8", the path of a saved learned policy, or the name of a shipped one
("shipped": the step-size policy).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from xpflow.errors import DecodingError

TOP = 4


@dataclass(frozen=True, slots=True)
class PolicyInfo:
    """What a policy may look at besides its features.

    active_BM: open tokens with t < 1, the only ones that move.
    """

    c_BM: Tensor
    t_BM: Tensor
    rho_B: Tensor
    active_BM: Tensor
    rows_B: Tensor
    step: int
    block: int


@dataclass(frozen=True, slots=True)
class Action:
    """Step sizes a_BM; a sampling policy adds its draw y_BM in [0, 1] and the log-density of that draw.

    chance_BM: of a policy that commits or does not, the probability that it does.
    """

    a_BM: Tensor
    y_BM: Tensor | None = None
    log_prob_BM: Tensor | None = None
    chance_BM: Tensor | None = None


@dataclass(frozen=True, slots=True)
class RecorderStep:
    """One decision of a rollout: features, action, and where in the response each token lies."""

    info: PolicyInfo
    offset_BM: Tensor
    features_BM8: Tensor | None
    action: Action


Recorder = Callable[[RecorderStep], None]


class Policy(Protocol):
    """Anything that gives step sizes."""

    @property
    def needs_features(self) -> bool:
        """Return whether the policy reads its features (top-4 probabilities and so on cost a little)."""

    def __call__(self, features_BM8: Tensor | None, info: PolicyInfo, /) -> Tensor | Action:
        """Return a in [0, 1] for every position."""


@dataclass(frozen=True, slots=True)
class ConstantPolicy:
    """The same step size everywhere."""

    a: float
    needs_features: bool = False

    def __post_init__(self) -> None:
        _check("constant", self.a, 0.0, 1.0)

    def __call__(self, features_BM8: Tensor | None, info: PolicyInfo) -> Tensor:
        return torch.full_like(info.c_BM, self.a)


@dataclass(frozen=True, slots=True)
class ConfidencePolicy:
    """a = c^power: certain tokens move at once, doubtful ones wait."""

    power: float
    needs_features: bool = False

    def __post_init__(self) -> None:
        _check("confidence", self.power, 0.0, 1e6)

    def __call__(self, features_BM8: Tensor | None, info: PolicyInfo) -> Tensor:
        return info.c_BM**self.power


def as_action(result: Tensor | Action) -> Action:
    """Return what a policy gave as an Action."""
    return result if isinstance(result, Action) else Action(result)


def policy_features(logits_BMV: Tensor, t_BM: Tensor, rho_B: Tensor) -> Tensor:
    """Return the state of a policy, eight numbers per token (Eq. 13), `[B, M, 8]`.

    The four largest probabilities; the entropy of these four, renormalised and divided by log 4; the margin
    between the first two; progress t; rho = l / (T - 1).
    """
    logits = logits_BMV.to(t_BM.dtype)
    top = logits.topk(TOP, dim=-1).values
    p_BM4 = (top - logits.logsumexp(-1, keepdim=True)).exp()
    q_BM4 = top.softmax(-1)
    entropy = -(q_BM4 * q_BM4.clamp_min(1e-30).log()).sum(-1, keepdim=True) / math.log(TOP)
    margin = p_BM4[..., :1] - p_BM4[..., 1:2]
    rho = rho_B[:, None, None].expand(*t_BM.shape, 1)
    return torch.cat((p_BM4, entropy, margin, t_BM[..., None], rho), dim=-1)


def policy_label(spec: str) -> str:
    """Return a policy as tables print it: "shipped policy", "a = c^8"; "own policy" is the study's."""
    known = {"shipped": "shipped policy", "trained": "own policy", "none": "no policy"}
    name, _, value = spec.partition(":")
    forms = {"constant": f"a = {value}", "confidence": f"a = c^{value}"}
    return known.get(spec) or forms.get(name) or f"policy {Path(spec).name}"


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise DecodingError(f"policy {name}:{value:g} is out of range", hint=f"{low:g} to {high:g}")
