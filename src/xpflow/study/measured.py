"""What the judges of a study's benchmarks measure beside right and wrong."""

from __future__ import annotations

from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.problems.shapes import SHAPES
from xpflow.study.config.root import StudyConfig


def measures_of(config: StudyConfig) -> dict[str, tuple[str, ...]]:
    """Return what the judges of a study's benchmarks measure, by benchmark; those that measure nothing are
    left out.
    """
    shapes = {choice.name: BENCHMARKS[choice.entry].shape for choice in config.problems.benchmarks}
    found = {name: SHAPES[shape].measures for name, shape in shapes.items()}
    return {name: measures for name, measures in found.items() if measures}
