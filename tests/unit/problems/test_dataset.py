"""Exported data sets: `datasets.load_dataset` reads them without a network and gives back every problem."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from xpflow.cli import main
from xpflow.errors import DataError
from xpflow.problems import Problem, problems_from, problems_from_file, problems_to_file
from xpflow.problems.benchmark import load_benchmark
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.problems.dataset import of_problems, write_dataset
from xpflow.problems.shapes import SHAPES

Load = Callable[..., Any]
DATE = "2026-01-31"


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """`datasets.load_dataset` with a cache of its own, and no way to a network."""
    import datasets

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    return lambda folder, *names: datasets.load_dataset(str(folder), *names, cache_dir=str(tmp_path / "hf"))


def card(folder: Path) -> dict[str, Any]:
    _, front, words = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    assert "load_dataset" in words
    return dict(yaml.safe_load(front))


@pytest.mark.parametrize("name", ["micropy-he", "micropy-mbpp", "micropy-personas", "humaneval"])
def test_every_problem_of_every_split_comes_back(name: str, tmp_path: Path, load: Load) -> None:
    assert main(["problems", "dataset", name, "--out", str(tmp_path / "out")]) == 0
    found = load(tmp_path / "out")
    assert list(found) == list(BENCHMARKS[name].splits)
    for split, rows in found.items():
        assert problems_from(rows, name) == load_benchmark(name, split)
        file = tmp_path / "out" / name / f"{split}.parquet"
        assert problems_from_file(file) == load_benchmark(name, split)


def test_the_card_says_licence_splits_and_how_the_problems_were_made(tmp_path: Path, load: Load) -> None:
    names = ["micropy-he", "micropy-mbpp", "humaneval"]
    assert main(["problems", "dataset", *names, "--out", str(tmp_path / "out")]) == 0
    found = card(tmp_path / "out")
    assert found["license"] == ["apache-2.0", "mit"]
    assert [one["config_name"] for one in found["configs"]] == names
    sizes = {one["name"]: one["num_examples"] for one in found["dataset_info"][1]["splits"]}
    assert sizes == {"train": 374, "validation": 200, "test": 500}
    text = (tmp_path / "out" / "README.md").read_text()
    assert "micropy-1/mbpp/SPLIT" in text
    assert "no held-out" in text
    assert len(load(tmp_path / "out", "micropy-mbpp")["test"]) == 500
    for one in found["dataset_info"]:
        [split, *_] = [part["name"] for part in one["splits"]]
        features = load(tmp_path / "out", one["config_name"])[split].features
        assert [entry["name"] for entry in one["features"]] == list(features)


def test_a_problems_file_in_humanevals_schema_is_a_data_set_by_its_splits(tmp_path: Path, load: Load) -> None:
    problems = load_benchmark("humaneval", limit=3) + load_benchmark("micropy-he", "validation", 2)
    problems_to_file(tmp_path / "mine.jsonl", problems)
    call = ["problems", "dataset", "--problems", str(tmp_path / "mine.jsonl"), "--out", str(tmp_path / "out")]
    assert main(call) == 0
    found = load(tmp_path / "out", "mine")
    assert {split: len(rows) for split, rows in found.items()} == {"test": 3, "validation": 2}
    assert [one for rows in found.values() for one in problems_from(rows, "mine")] == problems
    assert card(tmp_path / "out")["license"] == "unknown"


def test_problems_of_all_shapes_share_a_table(tmp_path: Path, load: Load) -> None:
    """Each shape's own example, MBPP's numbers beside names, and text that a reader could take for a date."""
    problems = [SHAPES[name].example for name in ("humaneval", "mbpp", "answer")]
    problems = [Problem.from_row({**one.to_row(), "task_id": f"{n}"}) for n, one in enumerate(problems)]
    problems += [
        Problem(
            "MBPP/7", "t\r\n", "f", ("assert f() == 1",), "2026-01-31", "file", "test", "mbpp", shown_tests=1
        ),
        Problem("d", "When?", "", ("2026-01-31",), "2026-01-31", "file", "test", "answer", shown_tests=0),
    ]
    write_dataset(tmp_path / "out", [of_problems("all-shapes", problems)])
    assert problems_from(load(tmp_path / "out")["test"], "x") == problems


def test_the_bytes_are_the_same_each_time(tmp_path: Path) -> None:
    problems = load_benchmark("micropy-mbpp", "validation")
    files = [write_dataset(tmp_path / name, [of_problems("p", problems)]) for name in "ab"]
    assert [file.read_bytes() for file in files[0]] == [file.read_bytes() for file in files[1]]


@pytest.mark.parametrize(
    ("name", "split", "text", "said"),
    [
        ("p", "all", "", "'all' cannot be a split"),
        ("p", "a b", "", "'a b' cannot be a split"),
        ("../p", "test", "", "no name of a configuration"),
        ("p", "test", "\ud800", "fits into no column"),
    ],
)
def test_what_no_data_set_can_hold_is_said(
    name: str, split: str, text: str, said: str, tmp_path: Path
) -> None:
    problem = Problem("x", text, "f", ("assert f()",), "", "file", split, "mbpp")
    with pytest.raises(DataError, match=said):
        write_dataset(tmp_path, [of_problems(name, [problem])])
    assert list(tmp_path.iterdir()) == []


def test_two_configurations_of_one_name_and_none_at_all_are_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "out")]
    assert main(["problems", "dataset", "micropy-he", "micropy-he", *out]) == 2
    assert main(["problems", "dataset", *out]) == 2
    said = capsys.readouterr().err
    assert "one name" in said
    assert "name a benchmark" in said
