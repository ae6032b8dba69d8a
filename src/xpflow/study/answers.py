"""Own answers that are graded, because a run learns only from those that pass.

Verdicts belong to a model and a seed, as the answers do: runs of both kinds share them.
"""

from __future__ import annotations

from xpflow.errors import ConfigError
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.study.config.root import StudyConfig
from xpflow.study.rows import trained_runs


def graded_answers(config: StudyConfig) -> list[tuple[str, int]]:
    """Return (model, seed) of the own answers that need verdicts, in order; none where runs take all."""
    found = [
        (model, seed) for model, run, seed in trained_runs(config) if config.run(run).answers == "passed"
    ]
    return list(dict.fromkeys(found))


def check_answers(config: StudyConfig) -> None:
    """Raise ConfigError where a run wants answers that passed, and nothing says which do."""
    wanting = [run.name for run in config.training.runs if run.answers == "passed"]
    if not wanting:
        return
    block = config.selfdata
    if block.answers == "reference":
        raise ConfigError(
            f"run {wanting[0]!r} wants answers that passed, and learns from a benchmark's own",
            hint="leave `answers` of the run out: reference answers are not graded",
        )
    if BENCHMARKS[config.benchmark_entry(block.benchmark)].tested is None:
        able = "micropy-training, or a benchmark's training split"
        raise ConfigError(
            f"run {wanting[0]!r} wants answers that passed, and {block.benchmark} has no tests",
            hint=f"let selfdata.benchmark be one with tests ({able}), or leave `answers` of the run out",
        )
