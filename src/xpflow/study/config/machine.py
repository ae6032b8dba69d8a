"""Blocks `runtime` and `grading`: how the machine is used, and where generated programs run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from xpflow.study.config.base import Block

MOST = 10_000_000  # seconds or MiB that the grader takes as a limit; infinity is none
DEVICE = r"^(cpu|cuda(:[0-9]{1,3})?)$"


class RuntimeBlock(Block):
    """Device, precision, threads and shards."""

    device: str = Field(default="cpu", pattern=DEVICE, description="cpu, cuda or cuda:N")
    dtype: Literal["float32", "bfloat16", "auto"] = Field(
        default="float32",
        description="float32 is the reference; auto: bfloat16 where a start-up probe finds it faster",
    )
    compile: Literal["never", "always", "auto"] = Field(
        default="never", description="torch.compile; auto: where a start-up probe finds it faster"
    )
    threads: int = Field(
        default=1, gt=0, le=1024, description="Threads of one process; jobs run side by side, one per core"
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


class GradingBlock(Block):
    """Jail, limits and workers of the grader."""

    jail: Literal["auto", "bwrap", "docker", "apptainer", "unsafe-local"] = Field(
        default="auto",
        description="auto: bwrap; unsafe-local (limits only, contains nothing) has to be named",
    )
    workers: int = Field(default=2, gt=0, le=1024, description="Programs that run at a time")
    cpu_s: float = Field(
        default=2.0, gt=0, le=MOST, description="CPU limit of one program, in seconds; the one that decides"
    )
    wall_s: float = Field(
        default=10.0, gt=0, le=MOST, description="Wall-clock limit, in seconds: ends programs that wait"
    )
    memory_mib: int = Field(
        default=512, gt=0, le=MOST, description="Address-space limit of one program, in MiB"
    )
    retries: int = Field(default=2, ge=0, description="New tries after a failure of the infrastructure")
