"""Policies by their spec: "constant:0.3", "confidence:8", a shipped one, or the file of a trained one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

from xpflow.decoding.policies.base import ConfidencePolicy, ConstantPolicy, Policy
from xpflow.decoding.policies.learned import LearnedPolicy
from xpflow.errors import DecodingError, nearest
from xpflow.policies import shipped_file, shipped_policies

POLICIES: dict[str, Callable[[float], ConstantPolicy | ConfidencePolicy]] = {
    "constant": ConstantPolicy,
    "confidence": ConfidencePolicy,
}


def load_policy(spec: str | Path, *, expectation: str = "A") -> Policy:
    """Return the policy of a spec; raises DecodingError when there is none.

    Args:
        expectation: for a learned policy, the deterministic step size: "A" is E[a], "B" is a(E[y]).
    """
    name, _, argument = str(spec).partition(":")
    if name in POLICIES:
        try:
            return POLICIES[name](float(argument))
        except ValueError as error:
            raise DecodingError(
                f"policy {str(spec)!r} needs a number after the colon", hint=f"as {name}:0.5"
            ) from error
    path = shipped_file(str(spec)) or Path(spec)
    if not str(spec) or not path.is_file():
        known = [*POLICIES, *shipped_policies()]
        raise DecodingError(f"no such policy or file: {str(spec)!r}", hint=nearest(name, known))
    return cast(Policy, LearnedPolicy.load(path).with_expectation(expectation))
