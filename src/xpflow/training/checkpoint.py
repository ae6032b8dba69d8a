"""Training state on disk: all that a resumed run needs to give the same bytes as an uninterrupted one."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from xpflow.artifacts.io import atomic_writer
from xpflow.errors import ArtifactError

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class TrainingState:
    """What a run saves and restores; `settings` (JSON) guard against going on from another run's file."""

    settings: Mapping[str, Any]
    module: nn.Module
    optimizers: list[torch.optim.Optimizer]

    def save(self, path: Path, step: int, rows: Rows) -> None:
        """Write weights, optimizers, step and log rows to one file, atomically."""
        state = {
            "settings": self.guard(),
            "step": step,
            "module": self.module.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "rows": json.dumps(rows),
        }
        with atomic_writer(path) as beside:
            torch.save(state, beside)

    def load(self, path: Path) -> tuple[int, Rows]:
        """Restore what `save` wrote; returns (step, log rows), or (0, []) when there is no file.

        Raises:
            ArtifactError: the file is none of ours, or was made with other settings.
        """
        if not path.exists():
            return 0, []
        state = read_state(path)
        self.check(state.get("settings"), path)
        self.module.load_state_dict(state["module"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        return int(state["step"]), list(json.loads(state["rows"]))

    def check(self, found: Any, path: Path) -> None:
        """Raise ArtifactError unless the settings in a file are ours."""
        if found != self.guard():
            raise ArtifactError(
                f"{path} was made with other settings", hint=f"remove it to start anew: rm -r {path}"
            )

    def guard(self) -> str:
        """Return the settings as they are written into a state."""
        return json.dumps(self.settings, sort_keys=True, default=str)


def read_state(path: Path) -> dict[str, Any]:
    """Return the dictionary of a state file (tensors and plain values only); raises ArtifactError."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise ArtifactError(
            f"{path} is no training state: {error}", hint=f"remove it to start anew: rm {path}"
        ) from error
    return dict(state)
