"""The modules that an objective added to a model, as they lie in the checkpoint's folder.

`objective.safetensors` holds their weights as MODULE.TENSOR, and in its metadata the objective's name and its
settings. An open model carries the file's place (`model.objective_file`), so that what needs a module, a
decoder, reads it from there; weights are read when they are asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from xpflow.artifacts.io import atomic_writer
from xpflow.errors import ModelLoadError

EXTRA = "objective.safetensors"
AGAIN = "fetch or make the checkpoint again"


@dataclass(frozen=True, slots=True)
class ObjectiveFile:
    """A file of an objective's modules: which objective, its settings as they were given, its modules."""

    path: Path
    objective: str
    settings: Mapping[str, Any]
    modules: frozenset[str]

    def state(self, module: str) -> dict[str, Tensor]:
        """Return the weights of a module, on the CPU; nothing where the file has no such module.

        Raises:
            ModelLoadError: the file cannot be read any more, or a weight is not finite.
        """
        try:
            found = load_file(self.path)
        except (OSError, SafetensorError) as error:
            raise ModelLoadError(f"{self.path}: {error}", hint=AGAIN) from error
        start = f"{module}."
        own = {key.removeprefix(start): value for key, value in found.items() if key.startswith(start)}
        for key, value in own.items():
            if not bool(value.isfinite().all()):
                raise ModelLoadError(f"{self.path}: {start}{key} holds NaN or infinity", hint=AGAIN)
        return own


def find_extra(folder: Path) -> ObjectiveFile | None:
    """Return what a model's folder has of an objective's modules; None without the file.

    Raises:
        ModelLoadError: it is there and cannot be read.
    """
    path = folder / EXTRA
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as reader:
            about, keys = reader.metadata() or {}, list(reader.keys())
        settings = json.loads(about.get("settings", "{}"))
    except (OSError, SafetensorError, ValueError) as error:
        raise ModelLoadError(f"{path}: {error}", hint=AGAIN) from error
    modules = frozenset(key.partition(".")[0] for key in keys)
    return ObjectiveFile(path, about.get("objective", ""), settings, modules)


def save_extra(
    extra: Mapping[str, Tensor], objective: str, settings: Mapping[str, Any], folder: Path
) -> None:
    """Write the state of the objective's own modules into a checkpoint's folder, if it has any."""
    if extra:
        about = {"objective": objective, "settings": json.dumps(dict(settings), sort_keys=True)}
        with atomic_writer(folder / EXTRA) as beside:
            save_file({name: value.contiguous() for name, value in extra.items()}, beside, about)
