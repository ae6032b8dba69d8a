"""Block `solvable`: which training prompts the policy is trained on."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from pydantic import Field

from xpflow.config.block import Block, Budget


class SolvableBlock(Block):
    """The filter: training problems that the base model solves by mask prediction."""

    benchmark: str = Field(
        default="micropy-mbpp", description="Source of the problems; always its training split"
    )
    keep: Literal["solved", "all"] = Field(
        default="solved", description="solved: the paper's filter; all: also what the base model fails"
    )
    limit: int | None = Field(default=None, gt=0, description="Only the first problems; null: all")
    gen_length: int = Field(default=32, gt=0, description="N, response tokens")
    budget: Budget = Field(default=Fraction(1), description="Steps / N of the base model's answer")
    batch_size: int = Field(default=32, gt=0, description="Rows decoded together")
