"""Modules that an objective added to a model and a decoder needs: a converter, three scalars.

An open model carries the place of its `objective.safetensors` (`objective_file`, set where it is loaded), or
nothing. The decoder that needs a module asks for it here, by its name in that file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from torch import Tensor

from xpflow.errors import DecodingError

M = TypeVar("M")


def has_module(model: Any, name: str) -> bool:
    """Return whether a model brings a module of its objective."""
    file = getattr(model, "objective_file", None)
    return file is not None and name in file.modules


def own_module(model: Any, name: str, objective: str, make: Callable[[dict[str, Tensor]], M]) -> M:
    """Return a module that a model brings; `make` makes it from its saved state.

    Raises:
        DecodingError: it brings none of this name, or that of another objective. ModelLoadError: the file
        cannot be read.
    """
    if not has_module(model, name):
        raise DecodingError(
            f"these weights bring no {name!r} in an objective.safetensors of their folder",
            hint=f"train them with the objective {objective}, or choose other settings",
        )
    file = model.objective_file
    try:
        return make(file.state(name))
    except (KeyError, RuntimeError) as error:
        raise DecodingError(
            f"{file.path}: no {name!r} of the objective {objective}: {error}"[:400],
            hint=f"it was written by {file.objective!r}",
        ) from error
