"""Block `study`: the study's name, its seeds and the claims registered before it runs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from xpflow.config.block import Block, Budget


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
    seeds: tuple[int, ...] = Field(
        default=(0,),
        min_length=1,
        description="Seeds of every trained stage (alignment, policy); each is one run",
    )
    preregistration: tuple[Claim, ...] = Field(
        default=(), description="Claims written down before the study runs"
    )
