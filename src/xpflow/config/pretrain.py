"""Block `pretrain`: how the shipped micro checkpoints were trained (`snakemake pretrain`)."""

from __future__ import annotations

from pydantic import Field

from xpflow.config.block import Block


class PretrainBlock(Block):
    """Pre-training of a micro model on MicroPy; not part of a default run."""

    seed: int = Field(default=0, description="Seed of weights, data order and masks")
    steps: dict[str, int] = Field(
        default_factory=lambda: {"llada-micro": 2400, "llada2-micro": 2600},
        description="Optimizer steps of each model",
    )
    batch_size: int = Field(default=64, gt=0, description="Sequences per step")
    response_length: int = Field(default=32, gt=0, description="N, response tokens")
    learning_rate: dict[str, float] = Field(
        default_factory=lambda: {"llada-micro": 0.0013, "llada2-micro": 0.008},
        description="Peak learning rate of each model's matrices (Muon); LLaDA has no QK norm and bears less",
    )
    embedding_learning_rate: dict[str, float] = Field(
        default_factory=lambda: {"llada-micro": 0.0015, "llada2-micro": 0.004},
        description="Peak learning rate of each model's embeddings, head and norms (AdamW)",
    )
    weight_decay: float = Field(default=0.01, ge=0, description="Decoupled weight decay of the matrices")
    warmup_steps: int = Field(default=100, ge=0, description="Linear warm-up, in steps")
    decay_share: dict[str, float] = Field(
        default_factory=lambda: {"llada-micro": 0.375, "llada2-micro": 0.4},
        description="Share of each model's steps, at the end, that lower the rate to zero",
    )
    balance_rate: float = Field(
        default=1e-3, ge=0, description="Step of the experts' balancing bias (LLaDA2)"
    )
    autocast: bool = Field(default=True, description="Forward and backward in bf16, weights in fp32")
    log_every: int = Field(default=50, gt=0, description="Steps between log rows")
    checkpoint_every: int = Field(default=500, gt=0, description="Steps between resumable checkpoints")
