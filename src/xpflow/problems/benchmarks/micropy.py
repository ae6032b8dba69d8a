"""MicroPy as benchmarks: functions to complete, functions to write, and requests without tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from xpflow.problems import micropy
from xpflow.problems.benchmark import Benchmark, Data, PromptLengths
from xpflow.problems.micropy.splits import VERSION
from xpflow.problems.problem import Problem

PERSONA_COUNT = 4096
SEEN_IN = frozenset({"xpflow"})  # its tests can be computed
LICENSE = "apache-2.0"
MADE = (
    "Drawn from a small grammar of functions over lists, texts and numbers, by a generator with seed `{}` "
    "(Python's `random.Random`). A hash of a task's combination of parts decides its split, and no held-out "
    "problem computes a function of the training split. `xpflow.problems.micropy` has the code."
)


def complete(data: Data, split: str) -> Sequence[Problem]:
    """Return a split of the tasks that show a signature and a docstring."""
    return micropy.load("humaneval", cast(micropy.Split, split))


def describe(data: Data, split: str) -> Sequence[Problem]:
    """Return a split of the tasks that say in a sentence what to write."""
    return micropy.load("mbpp", cast(micropy.Split, split))


def personas(data: Data, split: str) -> Sequence[Problem]:
    """Return the requests in persons' voices."""
    return micropy.persona_problems(PERSONA_COUNT)


def _sizes(shape: micropy.Shape) -> dict[str, int]:
    return {split: micropy.SIZES[shape, split] for split in ("train", "validation", "test")}


# Prompt lengths were measured with the shipped tokenizer.
COMPLETE = Benchmark(
    name="micropy-he",
    about="MicroPy in HumanEval's shape",
    shape="humaneval",
    load=complete,
    sizes=_sizes("humaneval"),
    prompts=PromptLengths(37, 44),
    tasks="MicroPy-HE/",
    seen_in=SEEN_IN,
    license=LICENSE,
    made=MADE.format(f"{VERSION}/humaneval/SPLIT"),
)
DESCRIBE = Benchmark(
    name="micropy-mbpp",
    about="MicroPy in MBPP's shape",
    shape="mbpp",
    load=describe,
    sizes=_sizes("mbpp"),
    prompts=PromptLengths(48, 61),
    tasks="MicroPy-MBPP/",
    seen_in=SEEN_IN,
    license=LICENSE,
    made=MADE.format(f"{VERSION}/mbpp/SPLIT"),
)
PERSONAS = Benchmark(
    name="micropy-personas",
    about="MicroPy as requests, no tests",
    shape="mbpp",
    load=personas,
    sizes={"train": PERSONA_COUNT},
    default_split="train",
    prompts=PromptLengths(43, 52),
    license=LICENSE,
    made=MADE.format(f"{VERSION}/personas/0"),
)
