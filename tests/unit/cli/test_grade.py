"""`xpflow grade` and `xpflow doctor` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from xpflow.artifacts import read_jsonl, write_jsonl
from xpflow.cli import main
from xpflow.problems import problems_to_file
from xpflow.problems.benchmark import load_benchmark


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Three problems and their samples: right, wrong, and right in a fenced block."""
    problems = load_benchmark("micropy-he", "validation", limit=3)
    problems_to_file(tmp_path / "problems.jsonl", problems)
    right = [problem.canonical_solution for problem in problems]
    answers = [right[0], "    return None", f"Sure:\n```python\n{right[2]}```"]
    rows = [{"task_id": p.task_id, "completion": a, "nfe": 4} for p, a in zip(problems, answers, strict=True)]
    write_jsonl(tmp_path / "samples.jsonl", rows)
    return str(tmp_path / "problems.jsonl"), str(tmp_path / "samples.jsonl")


def test_samples_become_verdicts_in_order(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "verdicts.jsonl"
    code = main(["grade", "--problems", files[0], "--samples", files[1], "--out", str(out), "--workers", "1"])
    assert code == 0
    rows = read_jsonl(out)
    assert [row["verdict"] for row in rows] == ["passed", "wrong", "passed"]
    assert {"task_id", "verdict", "reason", "time_s"} <= set(rows[0])
    assert "passed 2 of 3" in capsys.readouterr().out


def test_the_share_is_of_all_problems_and_those_without_a_sample_are_named(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = read_jsonl(files[1])
    write_jsonl(tmp_path / "one.jsonl", rows[:1])
    arguments = ["--problems", files[0], "--out", str(tmp_path / "v.jsonl"), "--workers", "1"]
    assert main(["grade", *arguments, "--samples", str(tmp_path / "one.jsonl")]) == 0
    missing = ", ".join(row["task_id"] for row in rows[1:])
    assert f"passed 1 of 3 (33.3 %); no sample of 2 ({missing})" in capsys.readouterr().out


def test_verdicts_carry_the_protocol_of_their_samples(files: tuple[str, str], tmp_path: Path) -> None:
    out = tmp_path / "v.jsonl"
    arguments = ["--problems", files[0], "--out", str(out), "--workers", "1"]
    rows = [{**row, "protocol": "llada2-chat@1"} for row in read_jsonl(files[1])]
    write_jsonl(tmp_path / "s.jsonl", rows)
    named = ["--samples", str(tmp_path / "s.jsonl")]
    for given, label in (
        (["--samples", files[1]], "micropy@1"),
        (named, "llada2-chat@1"),
        ([*named, "--protocol", "llada-opencompass"], "llada-opencompass@1"),
        ([*named, "--extraction", "human-eval"], "llada2-chat@1/human-eval"),
    ):
        assert main(["grade", *arguments, *given]) == 0
        assert {row["protocol"] for row in read_jsonl(out)} == {label}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (("micropy@1", "llada2-chat@1", "micropy@1"), "of several protocols: llada2-chat@1, micropy@1"),
        (("", "llada2-chat@1", ""), "of several protocols"),
        (("llada2-chat@9",) * 3, "this xpflow has llada2-chat@1"),
        (("llada2-chatt@1",) * 3, "did you mean 'llada2-chat'"),
    ],
)
def test_samples_of_mixed_or_unknown_protocols_are_refused(
    labels: tuple[str, ...],
    message: str,
    files: tuple[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [
        {**row, **({"protocol": label} if label else {})}
        for row, label in zip(read_jsonl(files[1]), labels, strict=True)
    ]
    write_jsonl(tmp_path / "s.jsonl", rows)
    arguments = ["--problems", files[0], "--samples", str(tmp_path / "s.jsonl"), "--out", str(tmp_path / "v")]
    assert main(["grade", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "v").exists()


def test_the_same_by_benchmark_name(files: tuple[str, str], tmp_path: Path) -> None:
    out = tmp_path / "v.jsonl"
    arguments = [
        "--benchmark",
        "micropy-he",
        "--split",
        "validation",
        "--samples",
        files[1],
        "--out",
        str(out),
    ]
    assert main(["grade", *arguments]) == 0
    assert [row["verdict"] for row in read_jsonl(out)] == ["passed", "wrong", "passed"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--benchmark NAME or --problems FILE"),
        (["--benchmark", "micropy-hee"], "did you mean 'micropy-he'"),
        (["--benchmark", "micropy-he", "--split", "validation", "--jail", "bwarp"], "did you mean 'bwrap'"),
        (
            ["--benchmark", "micropy-he", "--split", "validation", "--protocol", "x"],
            "no such protocol",
        ),
        (["--benchmark", "humaneval"], "no problem 'MicroPy-HE/validation/0'"),
        (["--benchmark", "micropy-he", "--split", "validation", "--cpu-s", "0"], "cpu_s must be above 0"),
    ],
)
def test_mistakes_end_with_code_2_and_a_message(
    arguments: list[str],
    message: str,
    files: tuple[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(["grade", "--samples", files[1], "--out", str(tmp_path / "v.jsonl"), *arguments])
    assert code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "v.jsonl").exists()


def test_the_doctor_names_every_part_and_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)
    assert {"torch", "git", "bwrap", "unsafe-local", "docker", "podman", "apptainer", "SLURM", "cores"} <= {
        finding["name"] for finding in findings
    }
    assert {finding["state"] for finding in findings} <= {"ok", "absent", "broken"}
