"""Data in published schemas, made of MicroPy's tasks and MicroSum's reports: for runs without the hub."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from xpflow.artifacts.io import write_jsonl
from xpflow.problems import microsum
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.problems.benchmarks.summaries import SIZES as TAKEN
from xpflow.problems.micropy import load, persona_problems
from xpflow.problems.problem import Problem
from xpflow.problems.shapes import SHAPES

Row = dict[str, Any]
SHOWN = 3
PERSONAS, PAGES = 256, 64
PAGE = " ".join(["the list of numbers"] * 82)  # words that are one token each for a tiny tokenizer
# Published columns of documents and of their summaries.
SUMMARIES = {
    "xsum": ("document", "summary"),
    "cnn-dailymail": ("article", "highlights"),
    "pubmed-abstracts": ("article", "abstract"),
    "arxiv-abstracts": ("article", "abstract"),
}


def write_stand_ins(folder: str | Path) -> list[Path]:
    """Write files into a folder, one of a benchmark's full size each; returns their paths.

    `mbpp` (974 tasks), `humaneval-plus` (164), `mbpp-plus` (378), `personas`; `xsum`, `cnn-dailymail`,
    `pubmed-abstracts` and `arxiv-abstracts` (1,000 reports of MicroSum each) and `fineweb-edu`.
    """
    pool = [problem for problem in load("mbpp", "train") if len(problem.tests) >= SHOWN]
    complete = load("humaneval", "test")

    def of(benchmark: str, row: Callable[[int, Problem], Row], tasks: Sequence[Problem]) -> list[Row]:
        count = sum(BENCHMARKS[benchmark].sizes.values())
        return [row(number, tasks[number % len(tasks)]) for number in range(1, count + 1)]

    reports = microsum.load("train")
    found = {
        "mbpp": of("mbpp", _mbpp_row, pool),
        "humaneval-plus": of("humaneval-plus", _humaneval_plus_row, complete),
        "mbpp-plus": of("mbpp-plus", _mbpp_plus_row, pool),
        "personas": [_persona_row(problem) for problem in persona_problems(PERSONAS)],
        **{name: _summary_rows(reports, *columns) for name, columns in SUMMARIES.items()},
        "fineweb-edu": [{"text": f"page {number} {PAGE}"} for number in range(PAGES)],
    }
    for name, rows in found.items():
        write_jsonl(Path(folder) / f"{name}.jsonl", rows)
    return [Path(folder) / f"{name}.jsonl" for name in found]


def _mbpp_row(number: int, problem: Problem) -> Row:
    return {
        "task_id": number,
        "text": problem.prompt,
        "code": problem.canonical_solution,
        "test_list": list(problem.tests[:SHOWN]),
        "test_setup_code": problem.setup,
        "challenge_test_list": [],
    }


def _humaneval_plus_row(number: int, problem: Problem) -> Row:
    return {**SHAPES["humaneval"].to_row(problem), "task_id": f"HumanEval/{number}"}


def _mbpp_plus_row(number: int, problem: Problem) -> Row:
    return {
        "task_id": number,
        "prompt": problem.prompt,
        "code": problem.canonical_solution,
        "test_imports": [],
        "test_list": list(problem.tests[:1]),
        "test": "\n".join(problem.tests),
    }


def _summary_rows(reports: Sequence[Problem], document: str, summary: str) -> list[Row]:
    taken = [reports[number % len(reports)] for number in range(TAKEN["test"])]
    return [{document: one.prompt, summary: one.canonical_solution} for one in taken]


def _persona_row(problem: Problem) -> Row:
    turns = [
        {"role": "user", "content": problem.prompt},
        {"role": "assistant", "content": problem.canonical_solution},
    ]
    return {"id": problem.task_id, "prompt": problem.prompt, "messages": turns}
