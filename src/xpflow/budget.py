"""Budgets: the steps of a decode as an exact fraction of the generation length, and how they are written."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from xpflow.errors import ConfigError


class BudgetError(ConfigError, ValueError):
    """What was given is no budget; a ValueError too, so that pydantic tells it with the key."""


def parse_budget(value: Any) -> Fraction:
    """Return a budget in (0, 1] from "1/4", 0.25 (as a number or as text), 1 or a Fraction.

    A decimal counts as it is written: 0.1 is 1/10, not the nearest double. Raises BudgetError otherwise.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float | Fraction):
        raise _no_budget(value)
    try:
        budget = Fraction(str(value))
    except (ValueError, ZeroDivisionError):
        raise _no_budget(value) from None
    if not 0 < budget <= 1:
        raise BudgetError(f"a budget is above 0 and at most 1, not {value}")
    return budget


def _no_budget(value: Any) -> BudgetError:
    return BudgetError(f"not a budget: {str(value)[:40]!r} (write it as a fraction, such as 1/4)")


def budget_text(budget: Fraction) -> str:
    """Return a budget as tables and YAML write it: "1/4", and "1/1" for the full budget."""
    return f"{budget.numerator}/{budget.denominator}"


def budget_folder(budget: Fraction) -> str:
    """Return a budget as the name of a folder: "1-4"."""
    return f"{budget.numerator}-{budget.denominator}"


Budget = Annotated[
    Fraction,
    BeforeValidator(parse_budget),
    PlainSerializer(budget_text),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]+/[0-9]+$", "examples": ["1/4"]}),
]
"""Steps / generation length, as an exact fraction."""
