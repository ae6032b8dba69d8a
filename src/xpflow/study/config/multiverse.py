"""Block `multiverse`: every reading of what a paper leaves open, and its claims under each of them.

A reading is a setting with alternatives, the first of which is the default. The full factorial of the
readings with two values is run; those with more are drawn at random, with a seed, for each of its
combinations, each value equally often. A reading that means nothing beside others (`needs`) keeps its
default, and equal universes are one.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from pydantic import Field

from xpflow.study.config.base import Block, Budget, Scalar
from xpflow.study.config.evaluation import Arm
from xpflow.study.config.factorial import NAME
from xpflow.study.config.training import BASE

WHOLE = "whole"  # the decoder with all its parts, beside its variants
NOT_SETTINGS = ("policy", "weights")  # what a reading can change besides settings


class Reading(Block):
    """One open point, and the ways to read it."""

    name: str = Field(pattern=NAME, description="Name, as the tables print it")
    setting: str = Field(description="Setting of the decoder that it is, or policy, or weights")
    point: int | None = Field(default=None, ge=1, description="Number of the paper's open point")
    values: tuple[Scalar, ...] = Field(min_length=2, description="The readings; the first is the default")
    needs: dict[str, Scalar] = Field(
        default={}, description="Other settings that it means something with; else it keeps its default"
    )


class Variant(Block):
    """The decoder with a part changed, under every reading."""

    name: str = Field(pattern=NAME, description="Name, and a part of its arms' names")
    settings: dict[str, Scalar] = Field(default={}, description="Settings that differ")
    policy: str | None = Field(default=None, description="Its policy; null: that of the block")
    weights: str | None = Field(default=None, description="Its weights; null: those of the block")


PLAIN = Variant(name=WHOLE)


class MultiverseClaim(Block):
    """A claim of the paper, asked under every reading: `a` (times 1) above `b` (times `least`)."""

    id: str = Field(pattern=NAME, description="Short name, as the tables print it")
    text: str = Field(description="The claim in words")
    a: str = Field(default=WHOLE, description="whole, a variant, or an arm of evaluation.arms")
    b: str = Field(description="whole, a variant, or an arm of evaluation.arms")
    budget_b: Budget | None = Field(default=None, description="Budget of an arm b; null: that of the block")
    least: float = Field(default=1.0, gt=0, description="a solves more than this share of what b solves")
    benchmarks: tuple[str, ...] = Field(default=(), description="Benchmarks; empty: all of the study")


class MultiverseBlock(Block):
    """Readings of a paper, and the share of them under which its claims hold."""

    readings: tuple[Reading, ...] = Field(default=(), description="The open points")
    decoder: str = Field(default="flow", description="The decoder that is read")
    policy: str = Field(default="shipped", description="Its policy, where no reading says otherwise")
    weights: str = Field(default="paper", description="Its weights, where no reading says otherwise")
    settings: dict[str, Scalar] = Field(default={}, description="Its settings under every reading")
    budget: Budget = Field(default=Fraction(1, 4), description="Steps / N")
    repeats: int = Field(default=1, ge=1, description="Draws of the readings with more than two values")
    seed: int = Field(default=0, ge=0, description="Seed of these draws")
    variants: tuple[Variant, ...] = Field(
        default=(), description="The decoder without a part, and so on; not run on validation problems"
    )
    validation: dict[str, str] = Field(
        default={},
        description="Benchmark -> the benchmark of its validation problems: the best reading is chosen there",
    )
    models: tuple[str, ...] = Field(default=(), description="Models; empty: all of the study")
    preregistration: tuple[MultiverseClaim, ...] = Field(
        default=(), description="The paper's claims, written down before the study runs"
    )

    @property
    def sides(self) -> tuple[str, ...]:
        """Return what is run under every reading."""
        return (WHOLE, *(variant.name for variant in self.variants))


@dataclass(frozen=True, slots=True)
class Universe:
    """One reading of everything: a value for each reading by name, and its arms by side."""

    number: int
    values: Mapping[str, Scalar]
    arms: Mapping[str, str]


def multiverse(block: MultiverseBlock) -> tuple[list[Universe], list[Arm]]:
    """Return the universes, the default one first, and their arms; two that decode alike share one."""
    if not block.readings:
        return [], []
    known: dict[str, tuple[dict[str, Scalar], dict[str, Scalar]]] = {}  # values as drawn, and as they count
    for values in _drawn(block):
        kept = {
            one.name: values[one.name] if meant else one.values[0] for one, meant in _meant(block, values)
        }
        known.setdefault(repr(sorted(kept.items())), (values, kept))
    arms: dict[str, Arm] = {}
    names: list[dict[str, str]] = [{} for _ in known]
    for variant in (PLAIN, *block.variants):  # the whole first: it is what validation problems are asked of
        for number, (values, _) in enumerate(known.values()):
            arm = _arm(block, values, variant, f"reading-{number}" + f"-{variant.name}" * (variant != PLAIN))
            names[number][variant.name] = arms.setdefault(_way(arm), arm).name
    universes = [Universe(number, kept, names[number]) for number, (_, kept) in enumerate(known.values())]
    return universes, list(arms.values())


def _drawn(block: MultiverseBlock) -> Iterator[dict[str, Scalar]]:
    """Yield the default values, then every combination of the binary readings with draws of the others.

    Each value of the others comes equally often, up to one, in an order that is drawn (Latin hypercube).
    """
    yield {one.name: one.values[0] for one in block.readings}
    binary = [one for one in block.readings if len(one.values) == 2]
    others = [one for one in block.readings if len(one.values) > 2]
    combinations = list(product(*(one.values for one in binary))) * (block.repeats if others else 1)
    drawn = random.Random(block.seed)
    columns = {one.name: _shuffled(one.values, len(combinations), drawn) for one in others}
    for place, values in enumerate(combinations):
        chosen = dict(zip((one.name for one in binary), values, strict=True))
        yield chosen | {name: column[place] for name, column in columns.items()}


def _shuffled(values: tuple[Scalar, ...], count: int, drawn: random.Random) -> list[Scalar]:
    """Return so many values, each equally often up to one, in random order; which come once more is drawn."""
    order = drawn.sample(values, len(values))
    column = [order[place % len(order)] for place in range(count)]
    drawn.shuffle(column)
    return column


def _meant(
    block: MultiverseBlock, values: Mapping[str, Scalar], variant: Variant = PLAIN
) -> Iterator[tuple[Reading, bool]]:
    """Yield every reading and whether it means something beside the others, in a variant."""
    merged: dict[str, Scalar] = {"policy": block.policy, "weights": block.weights}
    merged |= {one.setting: values[one.name] for one in block.readings}
    merged |= {**block.settings, **variant.settings}
    merged |= {key: own for key in NOT_SETTINGS if (own := getattr(variant, key)) is not None}
    for one in block.readings:
        yield one, all(merged.get(name, value) == value for name, value in one.needs.items())


def meant_in(block: MultiverseBlock, universe: Universe) -> set[str]:
    """Return the readings that mean something in a universe."""
    return {one.name for one, meant in _meant(block, universe.values) if meant}


def changed_in(block: MultiverseBlock, universe: Universe) -> dict[str, Scalar]:
    """Return the readings of a universe that are not the default, with their values."""
    defaults = {one.name: one.values[0] for one in block.readings}
    return {name: value for name, value in universe.values.items() if value != defaults[name]}


def _arm(block: MultiverseBlock, values: Mapping[str, Scalar], variant: Variant, name: str) -> Arm:
    """Return the arm of a side; readings that mean nothing in it are left out of its settings."""
    settings: dict[str, Scalar] = {"policy": block.policy, "weights": block.weights}
    settings |= {one.setting: values[one.name] for one, meant in _meant(block, values, variant) if meant}
    settings |= {**block.settings, **variant.settings}
    policy, weights = str(settings.pop("policy")), str(settings.pop("weights"))
    policy, weights = variant.policy or policy, variant.weights or weights
    return Arm(
        name=name,
        decoder=block.decoder,
        weights=weights,
        policy=policy,
        settings=settings,
        budgets=(block.budget,),
        models=block.models,
        benchmarks=() if variant == PLAIN else tuple(block.validation),
        seeds="first" if weights == BASE and policy != "trained" else "all",
    )


def _way(arm: Arm) -> str:
    """Return what an arm does, without its name."""
    return repr((sorted(arm.settings.items()), arm.policy, arm.weights))
