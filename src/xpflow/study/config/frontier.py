"""Block `frontier`: decoders as curves, each swept over one setting, and what is claimed of them.

A curve becomes one arm for each value and kind of weights (`arms_of`); a curve over the budget is one arm.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Literal

from pydantic import Field, model_validator

from xpflow.study.config.base import Block, Budget, Scalar
from xpflow.study.config.evaluation import FULL, Arm
from xpflow.study.config.training import BASE

BUDGET = "budget"


class Curve(Block):
    """A decoder, swept over one of its settings."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="Unique name")
    decoder: str = Field(description="Name of a decoder (`xpflow decoders`)")
    knob: str = Field(default=BUDGET, description="The setting that is swept; budget: steps / N")
    values: tuple[Scalar, ...] = Field(min_length=1, description="Its values")
    settings: dict[str, Scalar] = Field(default={}, description="Other settings than the decoder's defaults")
    policy: str = Field(default="none", description="Step-size policy, as that of an arm")
    weights: tuple[str, ...] = Field(
        default=(BASE,), min_length=1, description="base, or runs of training.runs: a curve for each"
    )
    models: tuple[str, ...] = Field(default=(), description="Models; empty: all of the study")
    seeds: Literal["all", "first"] = Field(
        default="first", description="all: something is drawn; weights that were trained have all anyway"
    )

    def on(self, weights: str) -> str:
        """Return the curve's name with a kind of weights."""
        return self.name if weights == BASE else f"{self.name}-{weights}"


class FrontierClaim(Block):
    """A claim about two curves at equal mean NFE, written down before the study runs."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="Short name, as the tables print it")
    text: str = Field(description="The claim in words")
    curve_a: str = Field(description="A curve, as the tables name it")
    curve_b: str = Field(description="The curve that it is compared with")
    at: Budget = Field(default=Fraction(1, 4), description="Mean NFE / N at which they are compared")
    also_at: tuple[Budget, ...] = Field(default=(), description="Further places; at each it is a comparison")
    at_b: Budget | None = Field(default=None, description="Mean NFE / N of curve_b; null: that of curve_a")
    least: float = Field(
        default=1.0, gt=0, le=1, description="a is held against this share of b (0.97: 97 % of what b solves)"
    )
    by: float = Field(
        default=0.0,
        gt=-1,
        lt=1,
        description="greater: by more than this, as a rate; -0.03: not behind by 3 points (non-inferior)",
    )
    direction: Literal["greater", "less", "different"] = Field(
        default="greater", description="What is claimed of pass rate a minus pass rate b"
    )
    models: tuple[str, ...] = Field(default=(), description="Models; empty: all that have both curves")

    @property
    def places(self) -> tuple[tuple[Fraction, Fraction], ...]:
        """Return where the claim is asked: mean NFE / N of each curve."""
        return tuple((at, self.at_b or at) for at in (self.at, *self.also_at))

    @model_validator(mode="after")
    def _by_how_much_is_one_sided(self) -> FrontierClaim:
        if self.by and self.direction != "greater":
            raise ValueError("`by` is of a claim with direction greater")
        return self


class FrontierBlock(Block):
    """Accuracy against forwards: decoders as curves."""

    curves: tuple[Curve, ...] = Field(default=(), description="The curves, in the order of the tables")
    reference: str | None = Field(
        default=None, description="The curve that all are compared with; null: the first"
    )
    validation: dict[str, str] = Field(
        default={},
        description="Benchmark -> the benchmark of its validation problems, on which settings are chosen",
    )
    at: tuple[Budget, ...] = Field(
        default=(Fraction(1, 2), Fraction(1, 4), Fraction(1, 8), Fraction(1, 16)),
        description="Mean NFE / N at which accuracies are compared",
    )
    preregistration: tuple[FrontierClaim, ...] = Field(
        default=(), description="Claims written down before the study runs"
    )

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all curves, one for each kind of weights."""
        return tuple(curve.on(weights) for curve in self.curves for weights in curve.weights)

    @property
    def reference_name(self) -> str:
        """Return the name of the curve that all are compared with."""
        return self.reference or self.names[0]


def arms_of(curve: Curve, weights: str) -> Iterator[Arm]:
    """Yield the arms of a curve on one kind of weights: one for each value, or one at several budgets."""
    budgets = tuple(Fraction(str(value)) for value in curve.values) if curve.knob == BUDGET else FULL
    for value in curve.values if curve.knob != BUDGET else (None,):
        yield Arm(
            name=curve.on(weights) if value is None else f"{curve.on(weights)}-{_word(value)}",
            decoder=curve.decoder,
            weights=weights,
            policy=curve.policy,
            settings=curve.settings if value is None else {**curve.settings, curve.knob: value},
            budgets=budgets,
            models=curve.models,
            seeds=curve.seeds if weights == BASE else "all",
        )


def _word(value: Scalar) -> str:
    """Return a value as the end of an arm's name: 0.9 -> 0p9, -1 -> m1."""
    return str(value).lower().replace("-", "m").replace(".", "p").replace("_", "-").replace("+", "")
