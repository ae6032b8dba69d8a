"""What every block of a study shares: unknown keys and what is not finite are errors, values are frozen."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict

from xpflow.budget import Budget, budget_folder, budget_text, parse_budget

__all__ = [
    "Block",
    "Budget",
    "Scalar",
    "budget_folder",
    "budget_text",
    "model_at",
    "model_in",
    "parse_budget",
]


class Block(BaseModel):
    """Base of all configuration models."""

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,  # no setting means anything there
        frozen=True,
        validate_default=True,
        validate_by_name=True,
        serialize_by_alias=True,  # a key may be a word of Python's, as `from`
    )


Scalar = bool | int | float | str | None
"""A value of a decoder setting, as YAML gives it."""


def model_at(root: type[BaseModel], loc: tuple[str | int, ...]) -> type[BaseModel] | None:
    """Return the model whose fields are the keys at `loc` (field names and list indices), or None."""
    model: type[BaseModel] | None = root
    for step in loc:
        if isinstance(step, int):
            continue
        if model is None or step not in model.model_fields:
            return None
        model = model_in(model.model_fields[step].annotation)
    return model


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside a type such as `Arm`, `tuple[Arm, ...]` or `Arm | None`, or None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        found = model_in(inner)
        if found is not None:
            return found
    return None
