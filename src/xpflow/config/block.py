"""What every configuration block shares: unknown keys are errors, values are frozen, budgets fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema


class Block(BaseModel):
    """Base of all configuration models."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


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
