"""Numbers that are not finite are errors of a training where they first appear, before a state is saved.

A NaN that is let through reaches every weight with the next update, and from there a state and a checkpoint
that look like any other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from xpflow.errors import XpflowError

SHOWN = 3  # names that an error gives


class TrainingError(XpflowError):
    """A training has numbers that are not finite: it cannot go on, and its last saved state is as it was."""


def require_finite_weights(module: nn.Module, what: str) -> None:
    """Raise TrainingError naming the weights or buffers of a module that are not finite.

    Sharded weights are looked at where they lie: each process answers for its own part.
    """
    require_finite_tensors(
        module.state_dict(), what, "these weights predict nothing: load or train them again"
    )


def require_finite_tensors(tensors: Mapping[str, Tensor], what: str, hint: str) -> None:
    """Raise TrainingError naming the tensors that hold NaN or infinity."""
    local = {name: _local(tensor) for name, tensor in tensors.items() if tensor.is_floating_point()}
    own = {name: tensor for name, tensor in local.items() if tensor.numel()}
    ends = [end.double() for tensor in own.values() for end in torch.aminmax(tensor)]  # NaN is an end too
    if not ends or bool(torch.stack([end.to(ends[0].device) for end in ends]).isfinite().all()):
        return
    bad = [name for name, tensor in own.items() if not bool(tensor.isfinite().all())]
    first = own[bad[0]]
    count = int((~first.isfinite()).sum())
    raise TrainingError(
        f"{what}: {_listed(bad)} not finite ({count} of the {first.numel()} values of {bad[0]})", hint=hint
    )


def require_finite(values: Mapping[str, Any], what: str, hint: str) -> None:
    """Raise TrainingError naming the numbers that are NaN or infinite."""
    bad = [f"{name} = {float(value)}" for name, value in values.items() if not math.isfinite(float(value))]
    if bad:
        raise TrainingError(f"{what}: {', '.join(bad)}", hint=hint)


def take_step(optimizer: torch.optim.Optimizer, where: str, hint: str) -> None:
    """Let an optimizer move its weights; raises TrainingError for a step that is no number of their type."""
    try:
        optimizer.step()
    except RuntimeError as error:
        if "overflow" not in str(error):
            raise
        raise TrainingError(f"{where}: a step is too large for the type of the weights", hint=hint) from error


def not_finite(values: Mapping[str, Any]) -> list[str]:
    """Return the names of plain numbers that are NaN or infinite, those inside lists and mappings too."""
    return [name for name, value in values.items() if _holds_one(value)]


def _holds_one(value: Any) -> bool:
    if isinstance(value, Mapping):
        return bool(not_finite(value))
    if isinstance(value, list | tuple):
        return any(map(_holds_one, value))
    return isinstance(value, float) and not math.isfinite(value)


def _local(tensor: Any) -> Tensor:
    local: Tensor = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return local.detach()


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{shown}{more} {'is' if len(names) == 1 else 'are'}"
