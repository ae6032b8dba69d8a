"""Block `probes`: where mixed states are read, which policies' decodes are followed, and what is claimed."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from pydantic import Field, model_validator

from xpflow.study.config.base import Block, Budget, Scalar
from xpflow.study.config.noisy import NoisyBlock
from xpflow.study.config.training import BASE

NAME = r"^[a-z0-9][a-z0-9-]*$"
MixGeometry = Literal["linear", "spherical"]
Token = Literal["oracle", "wrong"]
# What a claim may be about; OF_POLICIES also need a policy, and nats a number of passes.
Measure = Literal[
    "read_oracle",
    "read_wrong",
    "elsewhere_oracle",
    "elsewhere_wrong",
    "recovered",
    "readable",
    "correctable",
    "nats",
]
OF_POLICIES = ("recovered", "readable", "correctable")


class ProbePlace(Block):
    """Weights that are probed."""

    name: str = Field(pattern=NAME, description="Unique name, as tables print it, and a folder's")
    model: str = Field(description="A model of the study")
    weights: str = Field(default=BASE, description="base, or a run of training.runs")
    soft: dict[str, Scalar] = Field(
        default={},
        description="Settings of soft_tokens: how masks are mixed between passes (see `passes`); empty: they "
        "stay plain, and one pass is all there is",
    )


class ProbePolicy(Block):
    """A step-size policy whose decodes are followed: a given one, or one trained for the probes."""

    name: str = Field(pattern=NAME, description="Unique name, as tables print it")
    policy: str | None = Field(
        default=None, description="shipped, constant:A, confidence:K or FILE; null: trained, see train_budget"
    )
    train_budget: Budget | None = Field(
        default=None,
        description="Train one as block `grpo` says, but with rollouts at this T / N (paper: 1/1)",
    )

    @model_validator(mode="after")
    def _one_source(self) -> ProbePolicy:
        if (self.policy is None) == (self.train_budget is None):
            raise ValueError("give either `policy` or `train_budget`")
        if self.policy in ("none", "trained"):
            raise ValueError(f"policy {self.policy!r} is none: name one, or give `train_budget`")
        return self


class ProbeClaim(Block):
    """A claim about a measure of the probes, paired by problem, written down before the study runs."""

    id: str = Field(pattern=NAME, description="Short name, as the tables print it")
    text: str = Field(description="The claim in words")
    measure: Measure = Field(
        description="read_*, elsewhere_*: readings that are right at the mixed places, and at the masks "
        "beside them, with the true or a wrong token mixed in; recovered: answers that pass after a snap; "
        "readable, correctable: states in the region (see `region`); nats: of a response, after some passes"
    )
    at: float = Field(default=0.5, ge=0, le=1, description="t of the states, or share of the steps at a snap")
    snap_at: float | None = Field(
        default=None, description="Of recovered: a bound of probes.snap_at; null: the first"
    )
    geometry: MixGeometry = Field(default="linear", description="Of read_* and elsewhere_*")
    geometry_b: MixGeometry | None = Field(default=None, description="Of side b; null: the same")
    place_a: str = Field(description="A place of probes.places")
    place_b: str = Field(description="The place that it is compared with")
    policy_a: str | None = Field(default=None, description="A policy of probes.policies, of the last three")
    policy_b: str | None = Field(default=None, description="The policy that it is compared with")
    passes_a: int | None = Field(default=None, gt=0, description="Of nats: passes of side a")
    passes_b: int | None = Field(default=None, gt=0, description="Of nats: passes of side b")
    direction: Literal["greater", "less", "different"] = Field(
        default="greater", description="What is claimed of a minus b"
    )


class ProbesBlock(Block):
    """What states that no model was pre-trained on are worth: mixed states of flow, and noisy text."""

    places: tuple[ProbePlace, ...] = Field(
        default=(), description="Weights that are probed; empty: no probes"
    )
    mixed: bool = Field(
        default=True, description="Whether mixed states are read and decodes of flow are followed"
    )
    benchmarks: tuple[str, ...] = Field(
        default=(), description="Benchmarks whose problems are probed; empty: the first of the study"
    )
    limit: int | None = Field(default=None, gt=0, description="Only the first problems of each; null: all")
    answers: Literal["reference", "own"] = Field(
        default="reference",
        description="Whose tokens states are mixed from: the benchmark's answers, or what the weights answer "
        "by mask prediction at full budget",
    )
    share: float = Field(
        default=0.5, gt=0, lt=1, description="Share of an answer's tokens that is mixed; the others are masks"
    )
    t: tuple[float, ...] = Field(
        default=(0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0),
        min_length=2,
        description="Values of t at which states are read, rising from 0 to 1",
    )
    geometries: tuple[MixGeometry, ...] = Field(
        default=("linear", "spherical"),
        min_length=1,
        description="Along the line, as flow mixes, and along the sphere as a control",
    )
    policies: tuple[ProbePolicy, ...] = Field(
        default=(ProbePolicy(name="shipped", policy="shipped"),),
        description="Policies whose decodes are followed; empty: none is",
    )
    passes: int = Field(
        default=0, ge=0, description="The likelihood of answers is read after 1 to this many forwards; 0: not"
    )
    draws: int = Field(default=16, gt=0, description="Of the likelihood: maskings of each answer")
    budget: Budget = Field(default=Fraction(1, 4), description="Steps / N of these decodes")
    snaps: int = Field(
        default=8, gt=0, description="Snaps of a decode: before it, and after each 1/snaps of its steps"
    )
    snap_at: tuple[float, ...] = Field(
        default=(0.5,),
        min_length=1,
        description="A snap keeps tokens whose t is at least this and masks the others (0: keeps all)",
    )
    region: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="A cell of t and confidence is readable where at least this share of readings is right "
        "with the true token mixed in, and correctable where it is with a wrong one",
    )
    preregistration: tuple[ProbeClaim, ...] = Field(
        default=(), description="Claims about mixed states, written down before the study runs"
    )
    noisy: NoisyBlock = Field(
        default=NoisyBlock(), description="How text with wrong tokens in it is read, in one forward"
    )

    @model_validator(mode="after")
    def _grid(self) -> ProbesBlock:
        if self.t[0] != 0 or self.t[-1] != 1 or any(a >= b for a, b in zip(self.t, self.t[1:], strict=False)):
            raise ValueError(
                "t must rise from 0 to 1: the mask and the token are what all else is held against"
            )
        for name in ("geometries", "snap_at", "benchmarks"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"{name} has a value twice")
        if any(not 0 <= value <= 1 for value in self.snap_at):
            raise ValueError("snap_at holds values of t, between 0 and 1")
        return self
