"""MicroPy and MicroPy-L as benchmarks: functions to complete, to write, and requests without tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from xpflow.problems import micropy, micropy_l
from xpflow.problems.benchmark import Benchmark, Data, PromptLengths
from xpflow.problems.micropy.splits import VERSION
from xpflow.problems.micropy_l.semantics import VERSION as VERSION_L
from xpflow.problems.problem import Problem

PERSONA_COUNT, PERSONA_COUNT_L = 4096, 2048
SEEN_IN = frozenset({"xpflow"})  # its tests can be computed
LICENSE = "apache-2.0"
MADE = (
    "Drawn from a small grammar of functions over lists, texts and numbers, by a generator with seed `{}` "
    "(Python's `random.Random`). A hash of a task's combination of parts decides its split, and no held-out "
    "problem computes a function of the training split. `xpflow.problems.micropy` has the code."
)
MADE_L = (
    "Drawn from a grammar of functions that take elements (of a list, a text, a range, a number's digits), "
    "handle them in two or three steps and return an end of them, by a generator with seed `{}` (Python's "
    "`random.Random`). The solution is drawn from at least four kinds of programs with free local names. "
    "Hashes of a task's combination of parts and of its answers on fixed inputs decide its split: no held-out"
    " problem computes a function of the training split. `xpflow.problems.micropy_l` has the code."
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


def complete_l(data: Data, split: str) -> Sequence[Problem]:
    """Return a split of MicroPy-L's tasks that show a signature and a docstring."""
    return micropy_l.load("humaneval", cast(micropy.Split, split))


def describe_l(data: Data, split: str) -> Sequence[Problem]:
    """Return a split of MicroPy-L's tasks that say in a sentence what to write."""
    return micropy_l.load("mbpp", cast(micropy.Split, split))


def personas_l(data: Data, split: str) -> Sequence[Problem]:
    """Return MicroPy-L's requests in persons' voices."""
    return micropy_l.WORLD.persona_problems(PERSONA_COUNT_L)


def _sizes(shape: micropy.Shape) -> dict[str, int]:
    return {split: micropy.SIZES[shape, split] for split in ("train", "validation", "test")}


# Prompt lengths were measured with the shipped tokenizers; MicroPy-L has one of its own.
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
    tested=None,
    sizes={"train": PERSONA_COUNT},
    default_split="train",
    prompts=PromptLengths(43, 52),
    license=LICENSE,
    made=MADE.format(f"{VERSION}/personas/0"),
)
COMPLETE_L = Benchmark(
    name="micropy-l-he",
    about="MicroPy-L, longer answers of many structures, in HumanEval's shape",
    shape="humaneval",
    load=complete_l,
    sizes=_sizes("humaneval"),
    prompts=PromptLengths(53, 75),
    tasks="MicroPy-L-HE/",
    seen_in=SEEN_IN,
    license=LICENSE,
    made=MADE_L.format(f"{VERSION_L}/humaneval/SPLIT"),
)
DESCRIBE_L = Benchmark(
    name="micropy-l-mbpp",
    about="MicroPy-L in MBPP's shape",
    shape="mbpp",
    load=describe_l,
    sizes=_sizes("mbpp"),
    prompts=PromptLengths(64, 88),
    tasks="MicroPy-L-MBPP/",
    seen_in=SEEN_IN,
    license=LICENSE,
    made=MADE_L.format(f"{VERSION_L}/mbpp/SPLIT"),
)
PERSONAS_L = Benchmark(
    name="micropy-l-personas",
    about="MicroPy-L as requests, no tests",
    shape="mbpp",
    load=personas_l,
    tested=None,
    sizes={"train": PERSONA_COUNT_L},
    default_split="train",
    prompts=PromptLengths(59, 81),
    license=LICENSE,
    made=MADE_L.format(f"{VERSION_L}/personas/0"),
)
