"""Kinds 1, 5, 6 and 12: what is no program's fault, one row that takes others with it, foreign fences."""

from __future__ import annotations

from typing import Any

import pytest

PROMPT = 'def add(a, b):\n    """Add."""\n'
BODY = "    return a + b\n"
CHECK = "def check(candidate):\n    assert candidate(1, 2) == 3\n"
HE = {
    "task_id": "he/0",
    "prompt": PROMPT,
    "entry_point": "add",
    "canonical_solution": BODY,
    "test": CHECK,
}
MBPP = {
    "task_id": 601,
    "text": "Write a function to add.",
    "code": PROMPT + BODY,
    "test_list": ["assert add(1, 2) == 3"],
    "test_setup_code": "",
    "challenge_test_list": [],
}
GRADE = ("grade", "--problems", "p.jsonl", "--samples", "s.jsonl", "--out", "v.jsonl", "--workers", "1")


def answers(place: Any, *completions: str, **changes: Any) -> None:
    """Write problems in HumanEval's schema, and what a model has answered to each."""
    tasks = [f"he/{number}" for number in range(len(completions))]
    place.rows("p.jsonl", *({**HE, "task_id": task, **changes} for task in tasks))
    rows = [{"task_id": task, "completion": text} for task, text in zip(tasks, completions, strict=True)]
    place.rows("s.jsonl", *rows)


def verdicts(place: Any, *options: str) -> list[str]:
    place.run(*GRADE, *options).passed()
    return [row["verdict"] for row in place.read("v.jsonl")]


def test_tests_may_import_numpy_as_those_of_humaneval_plus_do(place: Any) -> None:
    check = CHECK.replace("== 3", "== np.int64(3)")
    answers(place, BODY, "    return a - b\n", test="import numpy as np\n" + check)
    assert verdicts(place) == ["passed", "wrong"]


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        ({**HE, "test": "assert True\n"}, "check"),
        ({**HE, "test": "import no_such_module\n" + CHECK}, "no_such_module"),
        ({**MBPP, "test_setup_code": "raise RuntimeError('no set-up')"}, "no set-up"),
    ],
    ids=["no check", "a module that is not there", "set-up that fails"],
)
def test_a_fault_of_the_problem_is_no_verdict_on_the_program(
    place: Any, problem: dict[str, Any], reason: str
) -> None:
    right = BODY if "prompt" in problem else PROMPT + BODY
    task = problem["task_id"] if "prompt" in problem else "MBPP/601"
    place.rows("p.jsonl", problem)
    place.rows("s.jsonl", {"task_id": task, "completion": right})
    place.run(*GRADE).refused(task, reason)
    assert verdicts(place, "--record-infrastructure") == ["infrastructure"]
    assert reason in place.read("v.jsonl")[0]["reason"]


@pytest.mark.parametrize("limit", [("--cpu-s", "inf"), ("--cpu-s", "nan"), ("--wall-s", "inf")])
def test_a_limit_that_is_none_is_refused(place: Any, limit: tuple[str, str]) -> None:
    answers(place, BODY)
    place.run(*GRADE, *limit).refused(limit[0])
    assert not (place / "v.jsonl").exists()


@pytest.mark.parametrize(
    ("odd", "verdict"),
    [
        ("    raise ValueError(chr(0xd83d))\n", "error"),
        (BODY + "#" + "x" * 9_000_000, "passed"),
    ],
    ids=["a surrogate in an exception", "nine megabytes"],
)
def test_one_row_takes_no_other_with_it(place: Any, odd: str, verdict: str) -> None:
    answers(place, BODY, odd, BODY)
    assert verdicts(place) == ["passed", verdict, "passed"]


def test_a_surrogate_in_a_prompt_takes_no_other_row_with_it(place: Any) -> None:
    odd = PROMPT.replace("Add.", "Add \ud83d.")
    place.rows("p.jsonl", HE, {**HE, "task_id": "he/1", "prompt": odd})
    place.rows("s.jsonl", *({"task_id": f"he/{number}", "completion": BODY} for number in (0, 1)))
    assert "kept: 1 verdict in" in place.run(*GRADE).refused("he/1")
    assert verdicts(place, "--record-infrastructure") == ["passed", "infrastructure"]


def test_a_grading_that_stopped_has_kept_its_verdicts_and_resumes(place: Any) -> None:
    answers(place, *(f"{BODY}# {number}\n" for number in range(6)))
    rows = place.read("p.jsonl")
    place.rows("p.jsonl", *rows[:5], {**rows[5], "test": "1 / 0\n" + CHECK})
    assert "kept: 5 verdicts in" in place.run(*GRADE).refused("he/5")
    assert len(place.read("v.jsonl.part")) == 6  # what they are of, and five
    place.rows("p.jsonl", *rows)
    assert verdicts(place) == ["passed"] * 6


FENCES = {
    "a blank before the language": "``` python\n{}```",
    "a blank after the language": "```python \n{}```",
    "a version": "```python 3.11\n{}```",
    "a closer followed by prose": "```python\n{}``` This adds both.",
    "indented": "1. Code:\n   ```python\n   {}   ```\n2. Done.",
    "a lone closer": "{}```\nIt adds both.",
    "a lone opener": "Sure:\n```python\n{}",
    "a usage behind": "```python\n{}```\nTry:\n```python\nassert add(1, 2) == 4\n```",
    "a draft before": "```python\ndef add(a, b):\n    return a - b\n```\nNo:\n```python\n{}```",
}


@pytest.mark.parametrize("schema", ["humaneval", "mbpp"])
def test_a_program_is_found_in_any_fence(place: Any, schema: str) -> None:
    code = "def add(a, b):\n    return a + b\n"
    texts = [
        text.format(code.replace("\n    ", "\n       ") if name == "indented" else code)
        for name, text in FENCES.items()
    ]
    answers(place, *texts)
    if schema == "mbpp":
        tasks = range(601, 601 + len(texts))
        place.rows("p.jsonl", *({**MBPP, "task_id": task} for task in tasks))
        place.rows(
            "s.jsonl",
            *({"task_id": f"MBPP/{t}", "completion": text} for t, text in zip(tasks, texts, strict=True)),
        )
    found = dict(zip(FENCES, verdicts(place, "--extraction", "markdown-v1"), strict=True))
    assert found == dict.fromkeys(FENCES, "passed")
