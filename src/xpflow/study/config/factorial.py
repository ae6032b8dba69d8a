"""Block `factorial`: what a decoder is made of as factors with levels, all combined, and claims about it.

A cell is one level of every factor: their decoders, settings, policies and weights, where the later factor
wins. It becomes a curve (`xpflow.study.config.frontier`), so that cells are compared at one mean NFE. Cells
that cannot exist are named with the reason, and no arm is made for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any, Literal

from pydantic import Field

from xpflow.study.config.base import Block, Budget, Scalar
from xpflow.study.config.evaluation import Arm
from xpflow.study.config.frontier import BUDGET, Curve, arms_of
from xpflow.study.config.training import BASE

NAME = r"^[a-z0-9][a-z0-9-]*$"
Names = tuple[str, ...]  # of one level of every factor, in the factors' order


class Level(Block):
    """One level of a factor: what an arm has there."""

    name: str = Field(pattern=NAME, description="Name, and a part of its arms' names")
    decoder: str | None = Field(default=None, description="Decoder; null: that of an earlier factor")
    settings: dict[str, Scalar] = Field(default={}, description="Settings of the decoder")
    policy: str | None = Field(default=None, description="Step-size policy; null: that of an earlier factor")
    weights: str | None = Field(default=None, description="base, or a run of training.runs; null: unchanged")
    knob: str | None = Field(
        default=None, description="The setting that is swept to meet the common NFE; budget: steps / N"
    )
    values: tuple[Scalar, ...] = Field(default=(), description="Its values; two around the common NFE do")


class Factor(Block):
    """One axis; its first level is the reference of its effects."""

    name: str = Field(pattern=NAME, description="Name, as tables print it")
    levels: tuple[Level, ...] = Field(min_length=2, description="Levels; the first is the reference")

    def level(self, name: str) -> Level:
        """Return a level by name."""
        return next(level for level in self.levels if level.name == name)


class Impossible(Block):
    """Cells that cannot exist."""

    where: dict[str, str] = Field(description="Factor -> level: all cells with these")
    why: str = Field(description="The reason, as the table of cells prints it")


class GainPath(Block):
    """Two cells whose difference is shared out over the factors in which they differ."""

    name: str = Field(pattern=NAME, description="Name, as tables print it")
    start: dict[str, str] = Field(description="Factor -> level of the first cell; left out: the reference")
    goal: dict[str, str] = Field(description="Factor -> level of the second cell; left out: as at the start")


class FactorialClaim(Block):
    """A claim about an effect, or about two shares of a gain, written down before the study runs."""

    id: str = Field(pattern=NAME, description="Short name, as the tables print it")
    text: str = Field(description="The claim in words")
    factor: str = Field(description="The factor whose effect it is about, or whose share")
    level: str | None = Field(default=None, description="The level whose effect it is, over `against`")
    against: str | None = Field(default=None, description="Another level of the factor; null: its reference")
    given: dict[str, str] = Field(default={}, description="Factor -> level: only in cells with these")
    path: str | None = Field(default=None, description="The gain whose shares are compared")
    over: str | None = Field(default=None, description="The factor whose share is claimed to be smaller")
    direction: Literal["greater", "less", "different"] = Field(
        default="greater", description="What is claimed of the effect, or of the difference of two shares"
    )


class FactorialBlock(Block):
    """Decoders by their parts: factors, the gain to be shared out, claims."""

    factors: tuple[Factor, ...] = Field(default=(), description="The factors, in the order in which they win")
    decoder: str = Field(default="composed", description="Decoder where no level names one")
    settings: dict[str, Scalar] = Field(default={}, description="Settings of all cells")
    impossible: tuple[Impossible, ...] = Field(default=(), description="Cells that cannot exist, and why")
    budgets: tuple[Budget, ...] = Field(
        default=(Fraction(1, 8), Fraction(1, 4)),
        min_length=1,
        description="Steps / N of cells whose levels sweep nothing",
    )
    at: Budget = Field(default=Fraction(1, 4), description="Mean NFE / N at which cells are compared")
    gains: tuple[GainPath, ...] = Field(default=(), description="Differences that are shared out (Shapley)")
    models: tuple[str, ...] = Field(default=(), description="Models; empty: all of the study")
    preregistration: tuple[FactorialClaim, ...] = Field(
        default=(), description="Claims written down before the study runs"
    )

    @property
    def names(self) -> Names:
        """Return the names of the factors."""
        return tuple(factor.name for factor in self.factors)

    def factor(self, name: str) -> Factor:
        """Return a factor by name."""
        return next(factor for factor in self.factors if factor.name == name)

    def ends(self, gain: GainPath) -> tuple[Names, Names]:
        """Return the two cells of a gain."""
        start = {factor.name: factor.levels[0].name for factor in self.factors} | gain.start
        goal = start | gain.goal
        return tuple(start[name] for name in self.names), tuple(goal[name] for name in self.names)


@dataclass(frozen=True, slots=True)
class FactorialCell:
    """One combination of levels: its curve, or why there is none."""

    levels: Names
    curve: Curve | None
    weights: str = BASE
    why: str = ""

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Return the cell's arms."""
        return () if self.curve is None else tuple(arms_of(self.curve, self.weights))


def factorial_cells(block: FactorialBlock) -> Iterator[FactorialCell]:
    """Yield every combination of levels, those that cannot exist included; none without factors.

    Raises:
        ValueError: two levels of a cell sweep different settings, or one value is none.
    """
    if not block.factors:
        return
    for levels in product(*(factor.levels for factor in block.factors)):
        names = tuple(level.name for level in levels)
        if why := why_not(block, names):
            yield FactorialCell(names, None, why=why)
        else:
            yield _cell(block, names, levels)


def why_not(block: FactorialBlock, names: Names) -> str:
    """Return why a cell cannot exist; empty where it can."""
    has = dict(zip(block.names, names, strict=True))
    return next((one.why for one in block.impossible if matches(has, one.where)), "")


def matches(has: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Return whether a cell has all the levels that are wanted, by factor."""
    return all(has.get(factor) == level for factor, level in wanted.items())


def _cell(block: FactorialBlock, names: Names, levels: tuple[Level, ...]) -> FactorialCell:
    chosen: dict[str, Any] = {"decoder": block.decoder, "policy": "none", "weights": BASE}
    settings = dict(block.settings)
    swept = [level for level in levels if level.knob is not None]
    if len(swept) > 1:
        raise ValueError(f"the levels {' and '.join(level.name for level in swept)} both have a knob")
    for level in levels:
        settings |= level.settings
        for key in chosen:
            chosen[key] = getattr(level, key) or chosen[key]
    own = [level.name for level in levels if level.model_copy(update={"name": "", "weights": None}) != PLAIN]
    values = swept[0].values if swept else tuple(map(str, block.budgets))
    curve = Curve(
        name="-".join(own or ["reference"]),
        decoder=chosen["decoder"],
        knob=swept[0].knob if swept and swept[0].knob else BUDGET,
        values=values,
        settings=settings,
        policy=chosen["policy"],
        weights=(chosen["weights"],),
        models=block.models,
        seeds="all" if chosen["policy"] == "trained" else "first",
    )
    return FactorialCell(names, curve, chosen["weights"])


PLAIN = Level(name="x").model_copy(update={"name": ""})
