"""Block `alignment`: x-prediction alignment (Eq. 11-12), full-parameter or LoRA, and variants of its loss."""

from __future__ import annotations

from pydantic import Field

from xpflow.config.block import Block


class Variant(Block):
    """A loss: the paper's, or the paper's plus a term that keeps the masked predictions."""

    name: str = Field(pattern=r"^[a-z]+$", description="Name; arms refer to it as `weights`")
    kl_weight: float = Field(
        ge=0, description="Weight of KL(base, model) at masked positions; 0 is the paper's loss"
    )
    clean_weight: float = Field(
        default=0.0,
        ge=0,
        description="Weight of the cross-entropy at unmasked positions, which still has a gradient where a "
        "wrong token is certain; 0 is the paper's loss",
    )


class FullSettings(Block):
    """Alignment of all parameters."""

    updates: int = Field(default=200, gt=0, description="Optimizer steps (paper: 100)")
    batch_size: int = Field(default=16, gt=0, description="Sequences per step")
    learning_rate: float = Field(default=5e-4, gt=0, description="Peak learning rate (AdamW)")


class LoraSettings(Block):
    """Alignment of low-rank adapters, merged into the weights afterwards."""

    updates: int = Field(default=400, gt=0, description="Optimizer steps (paper: 400)")
    batch_size: int = Field(default=8, gt=0, description="Sequences per step")
    learning_rate: float = Field(default=3e-3, gt=0, description="Peak learning rate (AdamW)")
    rank: int = Field(default=32, gt=0, description="Rank of the adapters")
    alpha: float = Field(
        default=64.0, gt=0, description="Scale of the adapters; they count alpha / rank times"
    )


class AlignmentBlock(Block):
    """Everything about alignment but the data, which is block `selfdata`."""

    variants: tuple[Variant, ...] = Field(
        default=(
            Variant(name="paper", kl_weight=0.0),
            Variant(name="preserving", kl_weight=0.3, clean_weight=0.3),
        ),
        min_length=1,
        description="Losses that are trained; `preserving` is a named deviation from the paper",
    )
    full: FullSettings = Field(default=FullSettings(), description="Models with `alignment: full`")
    lora: LoraSettings = Field(default=LoraSettings(), description="Models with `alignment: lora`")
    warmup_updates: int = Field(default=5, ge=0, description="Linear warm-up, in steps")
    decay_share: float = Field(
        default=0.5, ge=0, le=1, description="Share of the steps, at the end, that lower the rate to zero"
    )
    weight_decay: float = Field(default=0.0, ge=0, description="Decoupled weight decay")
    grad_clip: float = Field(default=1.0, gt=0, description="Largest norm of the gradient")
    log_every: int = Field(default=10, gt=0, description="Steps between rows of log.jsonl (Figures 2a, 2b)")
