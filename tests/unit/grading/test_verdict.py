"""Limits that the kernel would take as they are meant, and verdicts as rows of a file."""

from __future__ import annotations

from typing import Any

import pytest

from xpflow.errors import ConfigError, DataError
from xpflow.grading.verdict import MOST, Limits, Verdict, VerdictName

NAMES = ["cpu_s", "wall_s", "memory_mib", "file_mib", "open_files", "processes", "output_mib"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [float("inf"), float("nan"), 0, -1, -0.5, 1e300, 10**30, True, "5", None])
def test_a_limit_that_is_none_is_named(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"grading limit {name} must be"):
        Limits(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_a_limit_ends_at_ten_million(name: str) -> None:
    assert MOST == 10_000_000
    assert getattr(Limits(**{name: MOST}), name) == MOST
    assert getattr(Limits(**{name: 1}), name) == 1
    with pytest.raises(ConfigError, match=f"grading limit {name} must be at most 10000000, found 10000001"):
        Limits(**{name: MOST + 1})


def test_the_defaults_are_the_documented_ones() -> None:
    numbers = {"cpu_s": 5.0, "wall_s": 30.0, "memory_mib": 512, "file_mib": 16, "open_files": 64}
    assert Limits() == Limits(**numbers, processes=32, output_mib=64, retries=2)  # type: ignore[arg-type]


def test_retries_may_be_none_at_all_and_are_counted() -> None:
    assert Limits(retries=0).retries == 0
    retries: Any
    for retries in (-1, True, False, 0.5, "2", None):
        with pytest.raises(ConfigError, match="retries must not be negative"):
            Limits(retries=retries)


def test_verdict_rows_are_read_back_equal() -> None:
    verdict = Verdict("add", "wrong", "because", 0.5, 12.0, 0.25, "shared", "assert x", "add(1)", "2", "3")
    assert Verdict.from_row(verdict.to_row()) == verdict
    assert Verdict.from_row({"task_id": "add", "verdict": "passed"}) == Verdict("add", "passed")
    with pytest.raises(DataError, match="passed"):
        Verdict.from_row({"task_id": "add", "verdict": "pased"})


@pytest.mark.parametrize("name", ["passed", "wrong", "error", "timeout", "memory", "infrastructure"])
def test_a_row_holds_a_reason_and_what_there_is_to_say(name: VerdictName) -> None:
    row = Verdict("add", name).to_row()
    numbers = {"time_s": 0.0, "memory_mib": 0.0, "cpu_s": 0.0}
    assert row == {"task_id": "add", "verdict": name, "reason": "", "mode": "strict", **numbers}
    assert Verdict.from_row(row).passed == (name == "passed")


@pytest.mark.parametrize("sample", [0, 1, 19])
def test_a_row_has_the_number_of_its_answer_and_what_was_measured(sample: int) -> None:
    verdict = Verdict(
        "sum", "passed", sample=sample, measures={"rouge1": 0.25}, protocol="p@1", compat="passed"
    )
    row = verdict.to_row()
    assert (row["sample"], row["measures"]) == (sample, {"rouge1": 0.25})
    assert Verdict.from_row(row) == verdict
    assert Verdict.from_row({**row, "sample": None, "measures": None}).sample is None


def test_a_row_that_is_none_is_named() -> None:
    row = {"task_id": "add", "verdict": "passed"}
    sample: Any
    for sample in (-1, 1.0, True, "1"):
        with pytest.raises(DataError, match="verdict row, field 'sample': expected a number from 0"):
            Verdict.from_row({**row, "sample": sample})
    task: Any
    for task in (None, 3):
        with pytest.raises(DataError, match="verdict row without a task_id"):
            Verdict.from_row({**row, "task_id": task})
