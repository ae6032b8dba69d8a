import json
from pathlib import Path

import pytest
import yaml

from xpflow.artifacts.io import write_jsonl
from xpflow.cli import main
from xpflow.study.config import study_from_mapping
from xpflow.study.rows import expand

TABLES = ("table1", "table2", "contrasts", "alignment")


def _verdicts(path: Path, passed: str) -> Path:
    """Write a verdict file from a string of 1 and 0."""
    rows = [
        {"task_id": f"t/{n}", "verdict": "passed" if mark == "1" else "wrong", "reason": ""}
        for n, mark in enumerate(passed)
    ]
    write_jsonl(path, rows)
    return path


def test_score_prints_counts_percent_and_wilson_interval(tmp_path: Path, capsys) -> None:
    path = _verdicts(tmp_path / "v.jsonl", "1" * 74 + "0" * 90)
    assert main(["score", str(path)]) == 0
    assert "74/164 passed, 45.1 % [37.7, 52.8]" in capsys.readouterr().out


def test_score_of_two_files_is_paired(tmp_path: Path, capsys) -> None:
    a = _verdicts(tmp_path / "a.jsonl", "1" * 10 + "0" * 4 + "1" * 20)
    b = _verdicts(tmp_path / "b.jsonl", "0" * 10 + "1" * 4 + "1" * 20)
    assert main(["score", str(a), str(b), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)["comparisons"][0]
    assert (record["only_a"], record["only_b"]) == (10, 4)
    assert record["mcnemar_p"] == pytest.approx(0.18, abs=5e-3)
    assert record["low"] < record["difference"] < record["high"]


def test_score_shows_the_nfe_of_the_samples(tmp_path: Path, capsys) -> None:
    path = _verdicts(tmp_path / "v.jsonl", "10")
    rows = [{"task_id": f"t/{n}", "completion": "", "nfe": 8 + n} for n in range(2)]
    write_jsonl(tmp_path / "s.jsonl", rows)
    assert main(["score", str(path), "--samples", str(tmp_path / "s.jsonl")]) == 0
    assert "mean NFE 8.5" in capsys.readouterr().out


@pytest.fixture
def four(tmp_path: Path) -> Path:
    """A file of four problems."""
    rows = [
        {"task_id": f"t/{n}", "prompt": "def f():\n", "test": "def check(c):\n    pass\n", "entry_point": "f"}
        for n in range(4)
    ]
    write_jsonl(tmp_path / "four.jsonl", rows)
    return tmp_path / "four.jsonl"


def test_one_of_four_problems_graded_is_a_quarter_and_the_others_are_named(four, tmp_path, capsys) -> None:
    path = _verdicts(tmp_path / "v.jsonl", "1")
    assert main(["score", str(path), "--problems", str(four)]) == 0
    out = capsys.readouterr().out
    assert "1/4 passed, 25.0 % [" in out
    assert "not graded, counted as not solved: 3 (t/1, t/2, t/3)" in out
    assert main(["score", str(path), "--problems", str(four), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)["files"][0]
    assert (record["passed"], record["problems"], record["missing"]) == (1, 4, ["t/1", "t/2", "t/3"])
    assert main(["score", str(path)]) == 0  # nobody said what the benchmark is
    assert "of the problems in the file; --benchmark or --problems" in capsys.readouterr().out


def test_missing_problems_count_in_a_comparison_too(four, tmp_path, capsys) -> None:
    a, b = _verdicts(tmp_path / "a.jsonl", "1"), _verdicts(tmp_path / "b.jsonl", "0000")
    assert main(["score", str(a), str(b), "--problems", str(four)]) == 0
    out = capsys.readouterr().out
    assert "difference +25.0 points" in out
    assert "undecided: too few (fewer than 6 problems decide nothing at 95 %)" in out


def test_score_against_another_benchmark_is_refused(tmp_path, four, capsys) -> None:
    path = _verdicts(tmp_path / "v.jsonl", "11111")
    assert main(["score", str(path), "--problems", str(four)]) == 2
    assert "1 of its problems are not of this benchmark (first: t/4)" in capsys.readouterr().err
    assert main(["score", str(path), "--split", "test"]) == 2
    assert main(["score", str(path), "--seed", "-1"]) == 2


@pytest.mark.parametrize(("marks", "p_value"), [("1", 1.0), ("11111", 0.0625), ("111111", 0.03125)])
def test_score_and_mcnemar_say_the_same_of_few_problems(marks: str, p_value: float, tmp_path, capsys) -> None:
    a = _verdicts(tmp_path / "a.jsonl", marks)
    b = _verdicts(tmp_path / "b.jsonl", "0" * len(marks))
    assert main(["score", str(a), str(b), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)["comparisons"][0]
    assert record["mcnemar_p"] == p_value
    assert (record["low"] > 0) == (p_value < 0.05)


def _several(path: Path, marks: dict[str, str], numbered: bool = True) -> Path:
    """Write verdicts of several samples per task from strings of 1 and 0."""
    rows = [
        {"task_id": task, "verdict": "passed" if mark == "1" else "wrong"}
        | ({"sample": n} if numbered else {})
        for task, of_task in marks.items()
        for n, mark in enumerate(of_task)
    ]
    write_jsonl(path, rows)
    return path


@pytest.mark.parametrize("numbered", [True, False])
def test_score_of_several_samples_is_pass_at_k(numbered: bool, four: Path, tmp_path: Path, capsys) -> None:
    path = _several(tmp_path / "v.jsonl", {"t/0": "1100", "t/1": "0000", "t/2": "1111"}, numbered)
    arguments = ["score", str(path), "--k", "1", "--k", "2", "--samples-per-task", "4"]
    assert main([*arguments, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)["files"][0]
    assert (record["passed"], record["problems"], record["rate"]) == (6, 12, 0.5)
    assert record["pass_at"]["1"]["mean"] == pytest.approx(0.5)
    assert record["pass_at"]["2"]["mean"] == pytest.approx((5 / 6 + 0 + 1) / 3)
    assert record["pass_at"]["2"]["low"] < 0.5 < record["pass_at"]["2"]["high"]
    assert main([*arguments, "--problems", str(four)]) == 0
    out = capsys.readouterr().out
    assert "pass@2 45.8 % [" in out
    assert "not graded, counted as not solved: 1 (t/3)" in out
    assert main(["score", str(path), "--samples-per-task", "4", "--k", "5"]) == 2
    assert main(["score", str(path), str(path), "--samples-per-task", "4"]) == 2


def test_a_problem_that_comes_twice_is_no_second_sample_unless_said(tmp_path: Path, capsys) -> None:
    path = _several(tmp_path / "v.jsonl", {"t/0": "11", "t/1": "1"}, numbered=False)
    assert main(["score", str(path)]) == 2
    assert "t/0 comes twice" in capsys.readouterr().err
    assert main(["score", str(path), "--samples-per-task", "2"]) == 2
    assert "t/1 has 1 verdict(s), not 2" in capsys.readouterr().err
    rows = [{"task_id": "t/0", "verdict": "passed", "sample": 0}] * 2
    write_jsonl(path, rows)
    assert main(["score", str(path), "--samples-per-task", "2"]) == 2


def test_score_of_several_samples_takes_their_nfe(tmp_path: Path, capsys) -> None:
    path = _several(tmp_path / "v.jsonl", {"t/0": "10", "t/1": "00"})
    rows = [{"task_id": f"t/{n // 2}", "completion": "", "nfe": 8 + n} for n in range(4)]
    write_jsonl(tmp_path / "s.jsonl", rows)
    assert main(["score", str(path), "--samples", str(tmp_path / "s.jsonl")]) == 0
    assert "mean NFE 9.5" in capsys.readouterr().out
    write_jsonl(tmp_path / "s.jsonl", rows[:3])
    assert main(["score", str(path), "--samples", str(tmp_path / "s.jsonl")]) == 2


def test_score_refuses_files_of_different_problems(tmp_path: Path, capsys) -> None:
    a, b = _verdicts(tmp_path / "a.jsonl", "10"), _verdicts(tmp_path / "b.jsonl", "101")
    assert main(["score", str(a), str(b)]) == 2
    assert "same problems" in capsys.readouterr().err


def test_tables_and_figures_of_a_study_from_its_files(synthetic, tmp_path: Path, capsys) -> None:
    config = synthetic.config(seeds=(0,))
    data = config.model_dump(mode="json")
    data["reporting"]["figure_formats"] = ["pdf"]
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(data))
    results, out = tmp_path / "results", tmp_path / "out"
    synthetic.write_results(results, synthetic.plan(seeds=(0,)).rows, problems=20)
    synthetic.write_alignment(results, config)
    arguments = ["--config", str(tmp_path / "study.yaml"), "--results", str(results), "--out", str(out)]
    assert main(["tables", *arguments]) == 0
    assert main(["figures", *arguments, "--only", "sweep", "--only", "alignment"]) == 0
    names = {path.name for path in out.iterdir()}
    tables = {f"{name}.{end}" for name in TABLES for end in ("md", "tex", "csv")}
    assert names >= tables | {
        "claims.md",
        "claims.json",
        "sweep_budget.pdf",
        "sweep_nfe.pdf",
        "figure_2b.pdf",
    }
    assert capsys.readouterr().out.splitlines()[0] == str(out / "table1.md")


def test_an_incomplete_study_names_the_missing_file(synthetic, tmp_path: Path, capsys) -> None:
    config = synthetic.config(seeds=(0,))
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")))
    arguments = ["--config", str(tmp_path / "study.yaml"), "--results", str(tmp_path / "none")]
    assert main(["tables", *arguments, "--out", str(tmp_path)]) == 2
    assert "verdicts.jsonl" in capsys.readouterr().err


def test_an_unknown_figure_is_answered_with_the_nearest(synthetic, tmp_path: Path, capsys) -> None:
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(synthetic.config().model_dump(mode="json")))
    arguments = ["--config", str(tmp_path / "study.yaml"), "--results", "r", "--out", "o", "--only", "swep"]
    assert main(["figures", *arguments]) == 2
    assert "sweep" in capsys.readouterr().err


def test_a_study_that_aligns_nothing_has_tables_and_the_other_figures(
    synthetic, tmp_path: Path, capsys
) -> None:
    data = synthetic.config(seeds=(0,)).model_dump(mode="json")
    data["evaluation"]["arms"] = [arm for arm in data["evaluation"]["arms"] if arm["weights"] == "base"]
    data["reporting"].update(figure_formats=["pdf"], flow_arm=None, baseline_arm=None)
    data["study"]["preregistration"] = []
    config = study_from_mapping(data)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(data))
    results, out = tmp_path / "results", tmp_path / "out"
    synthetic.write_results(results, tuple(expand(config)), problems=20)
    arguments = ["--config", str(tmp_path / "study.yaml"), "--results", str(results), "--out", str(out)]
    assert main(["tables", *arguments]) == 0
    assert main(["figures", *arguments]) == 0
    names = {path.name for path in out.iterdir()}
    assert {"table1.md", "contrasts.md", "sweep_budget.pdf"} <= names
    assert not any(name.startswith(("alignment", "figure_2")) for name in names)
    capsys.readouterr()
    assert main(["figures", *arguments, "--only", "alignment"]) == 2
    assert "an arm with aligned weights" in capsys.readouterr().err
