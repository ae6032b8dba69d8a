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
