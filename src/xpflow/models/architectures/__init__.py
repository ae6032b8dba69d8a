"""The architectures by `model_type` of config.json: to add one, a file that defines it and its line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xpflow.errors import ModelLoadError
from xpflow.plugins import Table

if TYPE_CHECKING:
    from xpflow.models.architecture import Architecture

ARCHITECTURES: Table[Architecture] = Table(
    kind="architecture",
    group="xpflow.architectures",
    own={
        "llada": "xpflow.models.architectures.llada:ARCHITECTURE",
        "llada2_moe": "xpflow.models.architectures.llada2:ARCHITECTURE",
        "Dream": "xpflow.models.architectures.dream:ARCHITECTURE",
        "mdlm": "xpflow.models.architectures.mdlm:ARCHITECTURE",
    },
    accepts="xpflow.models.architecture:Architecture",
    attribute="ARCHITECTURE",
    error=ModelLoadError,
)
