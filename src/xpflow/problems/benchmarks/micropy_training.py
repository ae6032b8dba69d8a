"""MicroPy's training split as prompts that a model is to answer itself: `selfdata.benchmark`."""

from __future__ import annotations

from collections.abc import Sequence

from xpflow.problems.benchmark import Benchmark, Data, PromptLengths
from xpflow.problems.benchmarks.micropy import LICENSE, MADE, SEEN_IN
from xpflow.problems.micropy.splits import VERSION
from xpflow.problems.micropy.training_problems import training_problems, with_tests
from xpflow.problems.problem import Problem

COUNT = 24576  # 4,096 prompts for each of five seeds, with probes and held-out ones


def prompts(data: Data, split: str) -> Sequence[Problem]:
    """Return the prompts; the two shapes alternate."""
    return training_problems(COUNT)


BENCHMARK = Benchmark(
    name="micropy-training",
    about="MicroPy's training split as prompts in both shapes; tests where answers are graded",
    shape="mbpp",
    load=prompts,
    tested=with_tests,
    sizes={"train": COUNT},
    default_split="train",
    prompts=PromptLengths(41, 64),
    tasks="MicroPy-Training/",
    seen_in=SEEN_IN,
    license=LICENSE,
    made=MADE.format(f"{VERSION}/training/0"),
)
