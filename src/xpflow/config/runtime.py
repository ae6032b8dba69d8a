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
        default=1, gt=0, description="Threads of one job; jobs run side by side, one per core"
    )
    shards: int = Field(
        default=1,
        gt=0,
        description="Parts that generation, decoding and grading are cut into; more for many cores",
    )
