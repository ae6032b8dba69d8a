"""Training state on disk: everything that a resumed run needs to give the same bytes as an uninterrupted
one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from xpflow.artifacts.io import atomic_writer
from xpflow.errors import ArtifactError


def save_state(
    path: Path,
    *,
    settings: Mapping[str, Any],
    step: int,
    module: nn.Module,
    optimizers: list[torch.optim.Optimizer],
    rows: list[dict[str, Any]],
) -> None:
    """Write weights, optimizers, step and log rows to one file, atomically; `settings` guard against a
    mix-up."""
    state = {
        "settings": json.dumps(settings, sort_keys=True, default=str),
        "step": step,
        "module": module.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        "rows": json.dumps(rows),
    }
    with atomic_writer(path) as beside:
        torch.save(state, beside)


def load_state(
    path: Path, *, settings: Mapping[str, Any], module: nn.Module, optimizers: list[torch.optim.Optimizer]
) -> tuple[int, list[dict[str, Any]]]:
    """Restore what `save_state` wrote; returns (step, log rows), or (0, []) when there is no file.

    Raises:
        ArtifactError: the state was made with other settings.
    """
    if not path.exists():
        return 0, []
    state = torch.load(path, weights_only=True)
    if state["settings"] != json.dumps(settings, sort_keys=True, default=str):
        raise ArtifactError(
            f"{path} was made with other settings", hint=f"remove it to start anew: rm {path}"
        )
    module.load_state_dict(state["module"])
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    return int(state["step"]), list(json.loads(state["rows"]))
