"""The generated worlds by name: what a micro model can be pre-trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xpflow.errors import DataError
from xpflow.plugins import Table

if TYPE_CHECKING:
    from xpflow.problems.worlds.world import TrainingWorld

PROBLEM_WORLDS: Table[TrainingWorld] = Table(
    kind="world of problems",
    group="xpflow.problem_worlds",
    own={
        "micropy": "xpflow.problems.micropy.dataset:WORLD",
        "micropy-l": "xpflow.problems.micropy_l.dataset:WORLD",
        "microsum": "xpflow.problems.microsum.dataset:WORLD",
    },
    accepts="xpflow.problems.worlds.world:TrainingWorld",
    attribute="WORLD",
    error=DataError,
)
