"""What every block of a study shares: unknown keys are errors, values are frozen, budgets fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema


class Block(BaseModel):
    """Base of all configuration models."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        validate_by_name=True,
        serialize_by_alias=True,  # a key may be a word of Python's, as `from`
    )


def parse_budget(value: Any) -> Fraction:
    """Turn "1/4", 1 or a Fraction into a Fraction in (0, 1]; raises ValueError otherwise."""
    if isinstance(value, bool) or not isinstance(value, str | int | Fraction):
        raise ValueError(f"a budget is written as a fraction such as 1/4, not {value!r}")
    try:
        budget = Fraction(value)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"a budget is written as a fraction such as 1/4, not {value!r}") from None
    if not 0 < budget <= 1:
        raise ValueError(f"a budget is above 0 and at most 1, not {value}")
    return budget


def budget_text(budget: Fraction) -> str:
    """Return a budget as the tables and YAML write it: "1/4", and "1/1" for the full budget."""
    return f"{budget.numerator}/{budget.denominator}"


def budget_folder(budget: Fraction) -> str:
    """Return a budget as a folder's name: "1-4"."""
    return f"{budget.numerator}-{budget.denominator}"


Budget = Annotated[
    Fraction,
    BeforeValidator(parse_budget),
    PlainSerializer(budget_text),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]+/[0-9]+$", "examples": ["1/4"]}),
]
"""Steps / generation length, as an exact fraction."""

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
