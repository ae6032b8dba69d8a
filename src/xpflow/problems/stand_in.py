"""Data in the schemas of MBPP and the Tulu 3 personas, made of MicroPy tasks: for runs without the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xpflow.artifacts.io import write_jsonl
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.problems.micropy import load, persona_problems
from xpflow.problems.problem import Problem

SHOWN = 3
PERSONAS = 256


def write_stand_ins(folder: str | Path) -> tuple[Path, Path]:
    """Write `mbpp.jsonl` (974 tasks) and `personas.jsonl` into a folder; returns both paths."""
    mbpp, personas = Path(folder) / "mbpp.jsonl", Path(folder) / "personas.jsonl"
    pool = [problem for problem in load("mbpp", "train") if len(problem.tests) >= SHOWN]
    tasks = sum(BENCHMARKS["mbpp"].sizes.values())
    write_jsonl(mbpp, [_mbpp_row(number, pool[number % len(pool)]) for number in range(1, tasks + 1)])
    write_jsonl(personas, [_persona_row(problem) for problem in persona_problems(PERSONAS)])
    return mbpp, personas


def _mbpp_row(number: int, problem: Problem) -> dict[str, Any]:
    return {
        "task_id": number,
        "text": problem.prompt,
        "code": problem.canonical_solution,
        "test_list": list(problem.tests[:SHOWN]),
        "test_setup_code": problem.setup,
        "challenge_test_list": [],
    }


def _persona_row(problem: Problem) -> dict[str, Any]:
    turns = [
        {"role": "user", "content": problem.prompt},
        {"role": "assistant", "content": problem.canonical_solution},
    ]
    return {"id": problem.task_id, "prompt": problem.prompt, "messages": turns}
