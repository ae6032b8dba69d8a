"""The benchmarks by name: to add one, a file that defines it and its line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xpflow.errors import DataError
from xpflow.plugins import Table

if TYPE_CHECKING:
    from xpflow.problems.benchmark import Benchmark

BENCHMARKS: Table[Benchmark] = Table(
    kind="benchmark",
    group="xpflow.benchmarks",
    own={
        "humaneval": "xpflow.problems.benchmarks.humaneval:BENCHMARK",
        "mbpp": "xpflow.problems.benchmarks.mbpp:MBPP",
        "mbpp-sanitized": "xpflow.problems.benchmarks.mbpp:SANITIZED",
        "humaneval-plus": "xpflow.problems.benchmarks.evalplus:HUMANEVAL_PLUS",
        "mbpp-plus": "xpflow.problems.benchmarks.evalplus:MBPP_PLUS",
        "micropy-he": "xpflow.problems.benchmarks.micropy:COMPLETE",
        "micropy-mbpp": "xpflow.problems.benchmarks.micropy:DESCRIBE",
        "micropy-personas": "xpflow.problems.benchmarks.micropy:PERSONAS",
        "micropy-training": "xpflow.problems.benchmarks.micropy_training:BENCHMARK",
        "micropy-l-he": "xpflow.problems.benchmarks.micropy:COMPLETE_L",
        "micropy-l-mbpp": "xpflow.problems.benchmarks.micropy:DESCRIBE_L",
        "micropy-l-personas": "xpflow.problems.benchmarks.micropy:PERSONAS_L",
        "microsum": "xpflow.problems.benchmarks.microsum:BENCHMARK",
        "xsum": "xpflow.problems.benchmarks.summaries:XSUM",
        "cnn-dailymail": "xpflow.problems.benchmarks.summaries:CNN_DAILYMAIL",
        "pubmed-abstracts": "xpflow.problems.benchmarks.summaries:PUBMED",
        "arxiv-abstracts": "xpflow.problems.benchmarks.summaries:ARXIV",
        "fineweb-edu": "xpflow.problems.benchmarks.fineweb_edu:BENCHMARK",
        "tulu3-personas": "xpflow.problems.benchmarks.personas:BENCHMARK",
    },
    accepts="xpflow.problems.benchmark:Benchmark",
    attribute="BENCHMARK",
    error=DataError,
)
