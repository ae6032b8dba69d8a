"""Block `models`: the models of a study and how each is aligned."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from xpflow.config.block import Block


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
    alignment: Literal["full", "lora"] = Field(description="Which weights alignment trains")
    self_test: bool | None = Field(
        default=None,
        description="Base weights must predict a plain text better than chance; null: published weights only",
    )
    protocol: str = Field(
        default="micropy", description="Prompts, EOS handling and extraction, by name (`xpflow prompts`)"
    )


MODELS = (
    ModelChoice(name="llada-micro", alignment="full"),
    ModelChoice(name="llada2-micro", alignment="lora"),
)
