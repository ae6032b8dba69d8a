"""Block `grpo`: the short training of the study's own step-size policy (Eq. 13-18)."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from pydantic import Field, model_validator

from xpflow.config.block import Block, Budget


class GrpoBlock(Block):
    """Training of a policy on a frozen aligned model by group-relative advantages."""

    model: str = Field(
        default="llada-micro", description="The model it is trained on; used unchanged on the others"
    )
    variant: str = Field(default="preserving", description="Alignment variant of that model's weights")
    updates: int = Field(default=40, gt=0, description="Policy updates")
    prompts_per_update: int = Field(default=8, gt=0, description="Prompts per update")
    group_size: int = Field(default=8, gt=1, description="G, rollouts per prompt")
    rollout_shards: int = Field(
        default=1,
        gt=0,
        description="Parts of an update's rollouts, each with its own random stream, shared out to processes",
    )
    train_budget: Budget = Field(
        default=Fraction(1, 4),
        description="Steps / N of a rollout: the paper has 1/1, where hard commits alone finish every token",
    )
    completion_weight: float = Field(default=0.1, ge=0, description="lambda, weight of the final progress t")
    clip: float = Field(default=0.2, gt=0, description="Clip range of the probability ratio")
    learning_rate: float = Field(default=3e-4, gt=0, description="Learning rate (Adam)")
    epochs: int = Field(default=1, gt=0, description="Passes over the rollouts of an update")
    hidden: int = Field(default=64, gt=0, description="d, width of the policy's hidden layers")
    kappa_min: float = Field(default=2.0, gt=0, description="Smallest concentration of the Beta distribution")
    kappa_max: float = Field(default=50.0, gt=0, description="Largest concentration of the Beta distribution")
    warm_start: str | None = Field(
        default="confidence:8", description="Policy that is cloned before training; null: from nothing"
    )
    warm_start_updates: int = Field(default=200, gt=0, description="Regression steps of the cloning (Adam)")
    exploration: Literal["token", "trajectory"] = Field(
        default="token",
        description="token: every step size is drawn by itself, as in the paper; trajectory: rollouts also "
        "differ by a shift of mu that one rollout keeps",
    )
    trajectory_scale: float = Field(
        default=0.5, ge=0, description="Standard deviation of that shift, in the logit of mu, per feature"
    )
    drop_flat_groups: bool = Field(
        default=False, description="Leave out groups whose rollouts all have the same task reward"
    )
    std_floor: float = Field(
        default=1e-4, gt=0, description="Added to the group's standard deviation; large: no normalisation"
    )
    validate_every: int = Field(
        default=0,
        ge=0,
        description="Updates between validations that select the policy; 0: the last one is kept",
    )
    validation_limit: int = Field(default=100, gt=0, description="Validation problems of each benchmark")
    checkpoint_every: int = Field(default=10, gt=0, description="Updates between resumable checkpoints")

    @model_validator(mode="after")
    def _parts_are_equal(self) -> GrpoBlock:
        if self.prompts_per_update % self.rollout_shards:
            raise ValueError(
                f"prompts_per_update ({self.prompts_per_update}) must be a multiple of rollout_shards "
                f"({self.rollout_shards}): a prompt's rollouts stay together"
            )
        return self
