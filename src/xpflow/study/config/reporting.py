"""Blocks `study` and `reporting`: name, seeds, claims, and how tables and figures show them."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field

from xpflow.study.config.base import Block, Budget


class Claim(Block):
    """A paired comparison of two arms, written down before the study runs and reported whatever it says."""

    id: str = Field(pattern=r"^[a-z0-9-]+$", description="Short name, as the tables print it")
    text: str = Field(description="The claim in words")
    arm_a: str = Field(description="An arm of evaluation.arms")
    arm_b: str = Field(description="The arm that it is compared with")
    budget: Budget = Field(description="Budget of arm_a")
    budget_b: Budget | None = Field(default=None, description="Budget of arm_b; null: the same")
    direction: Literal["greater", "less", "different"] = Field(
        default="greater", description="What is claimed of pass rate a minus pass rate b"
    )
    benchmarks: tuple[str, ...] = Field(default=(), description="Benchmarks; empty: all of the study")
    models: tuple[str, ...] = Field(default=(), description="Models; empty: all of the study")


class StudyBlock(Block):
    """Name, title, seeds and pre-registered claims."""

    name: str = Field(
        default="micro", pattern=r"^[a-z0-9][a-z0-9-]*$", description="Folder in results/ and paper_figures/"
    )
    title: str = Field(
        default="Micro study: x-prediction flow on two small masked diffusion models",
        description="Title of tables and figures",
    )
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**31)], ...] = Field(
        default=(0,),
        min_length=1,
        description="Seeds of every trained stage (alignment, policy); each is one run",
    )
    preregistration: tuple[Claim, ...] = Field(
        default=(), description="Claims written down before the study runs"
    )


class ReportingBlock(Block):
    """Tables and figures."""

    baseline_arm: str | None = Field(
        default=None,
        description="Arm that stands for the paper's mask prediction; null: the first with base weights",
    )
    flow_arm: str | None = Field(
        default=None,
        description="Arm that stands for the paper's x-prediction flow; null: the first with aligned weights",
    )
    headline_budget: Budget = Field(
        default=Fraction(1, 4), description="Budget of the paper's claims and ablations"
    )
    ratio_margin: float = Field(
        default=0.05,
        ge=0,
        lt=1,
        description="A recovery ratio is judged against the paper's ratio less this margin",
    )
    confidence: float = Field(default=0.95, ge=0.5, le=0.999, description="Level of all intervals")
    bootstrap_samples: int = Field(default=10_000, ge=100, description="Draws over seeds and problems")
    bootstrap_seed: int = Field(default=0, ge=0, description="Seed of the bootstrap")
    training_cost: bool = Field(
        default=False,
        description="A table of what trained weights cost for each point that their curves gain (`frontier`)",
    )
    figure_formats: tuple[Literal["png", "svg", "pdf"], ...] = Field(
        default=("png", "pdf"), min_length=1, description="File types of the figures"
    )
    trace_arm: str | None = Field(
        default=None, description="Arm of the decoding picture; null: the first flow arm"
    )
    trace_problem: int = Field(default=0, ge=0, description="Which problem of the first benchmark it shows")
