"""Block `grpo`: the short training of the study's own step-size policy (Eq. 13-18)."""

from __future__ import annotations

from fractions import Fraction

from pydantic import Field

from xpflow.config.block import Block, Budget


class GrpoBlock(Block):
    """Training of a policy on a frozen aligned model by group-relative advantages."""

    model: str = Field(
        default="llada-micro", description="The model it is trained on; used unchanged on the others"
    )
    variant: str = Field(default="paper", description="Alignment variant of that model's weights")
    updates: int = Field(default=30, gt=0, description="Policy updates")
    prompts_per_update: int = Field(default=8, gt=0, description="Prompts per update")
    group_size: int = Field(default=8, gt=1, description="G, rollouts per prompt")
    train_budget: Budget = Field(
        default=Fraction(1),
        description="Steps / N of a rollout: the paper has 1/1; 1/4 is the alternative",
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
    checkpoint_every: int = Field(default=10, gt=0, description="Updates between resumable checkpoints")
