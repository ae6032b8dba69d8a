"""Block `reporting`: intervals, roles of the arms, files and pictures of paper_figures/<study>/."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from pydantic import Field

from xpflow.config.block import Block, Budget


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
    confidence: float = Field(default=0.95, gt=0, lt=1, description="Level of all intervals")
    bootstrap_samples: int = Field(default=10_000, gt=0, description="Draws over seeds and problems")
    bootstrap_seed: int = Field(default=0, description="Seed of the bootstrap")
    figure_formats: tuple[Literal["png", "svg", "pdf"], ...] = Field(
        default=("png", "pdf"), min_length=1, description="File types of the figures"
    )
    trace_arm: str | None = Field(
        default=None, description="Arm of the decoding picture; null: the first flow arm"
    )
    trace_problem: int = Field(default=0, ge=0, description="Which problem of the first benchmark it shows")
