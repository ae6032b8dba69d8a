"""Block `grading`: where and within what limits generated programs run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from xpflow.config.block import Block


class GradingBlock(Block):
    """Jail, limits and workers of the grader."""

    jail: Literal["auto", "bwrap", "docker", "apptainer", "unsafe-local"] = Field(
        default="auto",
        description="auto: bwrap; unsafe-local (limits only, contains nothing) has to be named",
    )
    workers: int = Field(default=2, gt=0, description="Programs that run at a time")
    cpu_s: float = Field(
        default=2.0, gt=0, description="CPU limit of one program, in seconds; the one that decides"
    )
    wall_s: float = Field(
        default=10.0, gt=0, description="Wall-clock limit, in seconds: ends programs that wait"
    )
    memory_mib: int = Field(default=512, gt=0, description="Address-space limit of one program, in MiB")
    retries: int = Field(default=2, ge=0, description="New tries after a failure of the infrastructure")
