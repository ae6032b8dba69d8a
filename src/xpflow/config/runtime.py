"""Block `runtime`: how the machine is used; nothing here changes a result in fp32."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from xpflow.config.block import Block


class RuntimeBlock(Block):
    """Device, precision, threads and shards."""

    device: str = Field(default="cpu", description="cpu, cuda or cuda:N")
    dtype: Literal["float32", "bfloat16", "auto"] = Field(
        default="float32",
        description="float32 is the reference; auto: bfloat16 where a start-up probe finds it faster",
    )
    compile: Literal["never", "always", "auto"] = Field(
        default="never", description="torch.compile; auto: where a start-up probe finds it faster"
    )
    threads: int = Field(
        default=1, gt=0, description="Threads of one process; jobs run side by side, one per core"
    )
    processes: int = Field(
        default=1, gt=0, description="Processes of a training job (alignment, policy), one per GPU"
    )
    micro_batch: int | None = Field(
        default=None,
        gt=0,
        description="Sequences of one forward and backward of alignment; null: the process's share",
    )
    vocab_chunk: int = Field(
        default=0,
        ge=0,
        description="Positions whose logits exist at a time in alignment's loss; 0: all of them",
    )
    activation_checkpointing: bool = Field(
        default=False, description="Alignment keeps no activations inside a layer and runs it twice"
    )
    checkpoint_every: int = Field(
        default=50, gt=0, description="Updates of alignment between states from which it resumes"
    )
    shards: int = Field(
        default=1,
        gt=0,
        description="Parts that generation, decoding and grading are cut into; more for many cores",
    )
