"""The shapes of problems by name: to add one, a file that defines it and its line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xpflow.errors import DataError
from xpflow.plugins import Table

if TYPE_CHECKING:
    from xpflow.problems.shape import Shape

SHAPES: Table[Shape] = Table(
    kind="shape",
    group="xpflow.shapes",
    own={
        "humaneval": "xpflow.problems.shapes.humaneval:SHAPE",
        "mbpp": "xpflow.problems.shapes.mbpp:SHAPE",
        "answer": "xpflow.problems.shapes.answer:SHAPE",
        "summary": "xpflow.problems.shapes.summary:SHAPE",
    },
    accepts="xpflow.problems.shape:Shape",
    attribute="SHAPE",
    error=DataError,
)
