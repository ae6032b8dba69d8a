"""`xpflow grade` and `xpflow doctor` from the command line."""

from __future__ import annotations

import gzip
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


def test_what_is_no_grading_is_refused(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["grade", "--problems", files[0], "--out", str(tmp_path / "v.jsonl"), "--samples"]
    assert main([*words, files[1], "--split", "test"]) == 2
    assert "--split is of a benchmark" in capsys.readouterr().err
    (tmp_path / "none.jsonl").write_text("")
    assert main([*words, str(tmp_path / "none.jsonl")]) == 2
    assert "none.jsonl holds no sample" in capsys.readouterr().err
    write_jsonl(tmp_path / "x.jsonl", [{"task_id": "x", "completion": ""}])
    assert main(["grade", "--benchmark", "micropy-he", *words[3:], str(tmp_path / "x.jsonl")]) == 2
    assert "(500 in all)" in capsys.readouterr().err


def test_tests_that_pass_whatever_a_program_answers_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*samples_of(tmp_path, ["", ""]), "--out", str(tmp_path / "v.jsonl")]
    rows = read_jsonl(tmp_path / "p.jsonl")
    empty = {**rows[1], "test": "def check(candidate):\n    candidate('()')\n"}
    write_jsonl(tmp_path / "p.jsonl", [rows[0], empty])
    assert main(arguments) == 0
    said = capsys.readouterr().err
    assert f"the tests of 1 problem pass whatever a program answers: {rows[1]['task_id']}\n" in said


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


def samples_of(folder: Path, completions: list[str]) -> list[str]:
    """Write problems and samples of HumanEval's first ones; returns the arguments that grade them."""
    problems = load_benchmark("humaneval", limit=len(completions))
    problems_to_file(folder / "p.jsonl", problems)
    rows = [
        {"task_id": p.task_id, "completion": completion or p.canonical_solution}
        for p, completion in zip(problems, completions, strict=True)
    ]
    write_jsonl(folder / "s.jsonl", rows)
    return [
        "grade",
        "--problems",
        str(folder / "p.jsonl"),
        "--samples",
        str(folder / "s.jsonl"),
        "--workers",
        "1",
    ]


def test_one_row_never_takes_others_with_it(tmp_path: Path) -> None:
    """A lone surrogate in an exception, in a program and in the test's report; a completion of 9 MB."""
    raising = "    raise ValueError(chr(0xd83d))\n"
    answering = "    return '\ud83d'\n"
    arguments = samples_of(tmp_path, ["", raising, answering, "    return False\n#" + "x" * 9_000_000, ""])
    assert main([*arguments, "--out", str(tmp_path / "v.jsonl")]) == 0
    rows = read_jsonl(tmp_path / "v.jsonl")
    assert [row["verdict"] for row in rows] == ["passed", "error", "error", "wrong", "passed"]
    assert rows[1]["reason"].endswith("\ud83d")
    assert main(["score", str(tmp_path / "v.jsonl")]) == 0


def test_problems_that_cannot_be_judged_are_named_and_what_is_known_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*samples_of(tmp_path, ["", "", ""]), "--out", str(tmp_path / "v.jsonl")]
    rows = read_jsonl(tmp_path / "p.jsonl")
    broken = [rows[0], {**rows[1], "test": "import no_such_module\n" + rows[1]["test"]}, rows[2]]
    write_jsonl(tmp_path / "p.jsonl", broken)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "HumanEval/1: its tests cannot be run: ModuleNotFoundError" in said
    assert "kept: 2 verdicts in" in said
    kept = (tmp_path / "v.jsonl.part").read_text().splitlines()
    assert [json.loads(line)["outcome"]["verdict"] for line in kept[1:]] == ["passed", "passed"]
    assert main([*arguments, "--record-infrastructure"]) == 0
    assert [row["verdict"] for row in read_jsonl(tmp_path / "v.jsonl")] == [
        "passed",
        "infrastructure",
        "passed",
    ]
    assert not (tmp_path / "v.jsonl.part").exists()
    write_jsonl(tmp_path / "p.jsonl", rows)
    assert main(arguments) == 0
    assert [row["verdict"] for row in read_jsonl(tmp_path / "v.jsonl")] == ["passed"] * 3


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_compressed_and_marked_files_are_graded_and_scored(tmp_path: Path, encoding: str) -> None:
    arguments = samples_of(tmp_path, ["", "    return None\n"])
    for name in ("p.jsonl", "s.jsonl"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        (tmp_path / name).write_bytes(gzip.compress(text.encode(encoding)))
    assert main([*arguments, "--out", str(tmp_path / "v.jsonl")]) == 0
    verdicts = (tmp_path / "v.jsonl").read_text(encoding="utf-8")
    (tmp_path / "v.jsonl.gz").write_bytes(gzip.compress(verdicts.encode(encoding)))
    assert main(["score", str(tmp_path / "v.jsonl"), str(tmp_path / "v.jsonl.gz")]) == 0


@pytest.mark.parametrize("limit", ["--cpu-s", "--wall-s"])
@pytest.mark.parametrize("value", ["inf", "nan", "0", "-1", "1e300"])
def test_limits_that_are_none_are_refused_before_the_work(
    limit: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*samples_of(tmp_path, [""]), "--out", str(tmp_path / "v.jsonl"), f"{limit}={value}"]
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert limit in said or f"grading limit {limit[2:].replace('-', '_')} must be" in said
    assert not list(tmp_path.glob("v.jsonl*"))


@pytest.mark.parametrize("place", ["s.jsonl", "p.jsonl", "folder", "p.jsonl/x"])
def test_verdicts_go_over_no_input_and_into_no_folder(place: str, tmp_path: Path) -> None:
    arguments = samples_of(tmp_path, [""])
    (tmp_path / "folder").mkdir()
    before = {path: path.read_bytes() for path in tmp_path.glob("*.jsonl")}
    assert main([*arguments, "--out", str(tmp_path / place)]) == 2
    assert {path: path.read_bytes() for path in tmp_path.glob("*.jsonl")} == before


def test_where_answers_are_compared_no_jail_has_to_work(tmp_path: Path) -> None:
    write_jsonl(
        tmp_path / "p.jsonl", [{"shape": "answer", "task_id": "q/1", "question": "40 + 2?", "answer": "42"}]
    )
    write_jsonl(tmp_path / "s.jsonl", [{"task_id": "q/1", "completion": "#### 42"}])
    files = ["--problems", str(tmp_path / "p.jsonl"), "--samples", str(tmp_path / "s.jsonl")]
    assert main(["grade", *files, "--out", str(tmp_path / "v.jsonl"), "--jail", "docker"]) == 0
    assert read_jsonl(tmp_path / "v.jsonl")[0]["verdict"] == "passed"


def test_several_samples_keep_their_numbers_and_the_share_is_of_all_answers(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right, wrong, _ = read_jsonl(files[1])
    bad = {**right, "completion": "    return None"}
    rows = [{**row, "sample": n} for row in (right, wrong) for n, row in enumerate((row, bad, row))]
    rows = [
        {**row, "task_id": one["task_id"]} for row, one in zip(rows, [right] * 3 + [wrong] * 3, strict=True)
    ]
    samples, out = tmp_path / "several.jsonl", tmp_path / "verdicts.jsonl"
    write_jsonl(samples, rows[:-1])
    arguments = ["--problems", files[0], "--samples", str(samples), "--out", str(out), "--workers", "1"]
    assert main(["grade", *arguments]) == 0
    found = read_jsonl(out)
    assert [(row["task_id"], row["sample"]) for row in found] == [
        (row["task_id"], row["sample"]) for row in rows[:-1]
    ]
    said = capsys.readouterr().out
    assert "passed 2 of 9 (22.2 %)" in said
    assert "3 samples of each problem; no sample of 1 (MicroPy-HE/" in said
    assert f"fewer than 3 samples of 1 ({wrong['task_id']})" in said


def test_a_sample_that_is_no_number_is_an_error(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = tmp_path / "odd.jsonl"
    write_jsonl(samples, [{**row, "sample": "first"} for row in read_jsonl(files[1])])
    arguments = ["--problems", files[0], "--samples", str(samples), "--out", str(tmp_path / "v.jsonl")]
    assert main(["grade", *arguments, "--workers", "1"]) != 0
    assert "field 'sample': expected a number from 0" in capsys.readouterr().err


def test_a_score_names_problems_with_fewer_samples_than_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("a/1", 0, "passed"), ("a/1", 1, "wrong"), ("a/2", 0, "wrong")]
    fields = ("task_id", "sample", "verdict")
    write_jsonl(tmp_path / "v.jsonl", [dict(zip(fields, row, strict=True)) for row in rows])
    assert main(["score", str(tmp_path / "v.jsonl")]) == 0
    assert "fewer samples than of other problems: 1 (a/2)" in capsys.readouterr().out
