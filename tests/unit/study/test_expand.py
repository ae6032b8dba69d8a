"""The rows of a study: pure, ordered, complete."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from xpflow.study.config import StudyConfig, study_from_mapping
from xpflow.study.layout import Layout
from xpflow.study.rows import expand, policy_seeds, trained_runs


def study(arms: list[dict[str, Any]], **evaluation: Any) -> StudyConfig:
    return study_from_mapping({"study": {"seeds": [0, 1]}, "evaluation": {"arms": arms, **evaluation}})


MASK = {"name": "mask", "decoder": "mask_prediction", "seeds": "first"}
FLOW = {"name": "flow", "decoder": "flow", "weights": "preserving", "policy": "constant:0.3"}


def test_rows_are_models_by_benchmarks_by_arms_by_budgets_by_seeds() -> None:
    rows = expand(study([MASK, FLOW], budgets=["1/1", "1/4"]))
    assert len(rows) == 2 * 2 * (1 * 2 + 2 * 2)
    assert len(set(rows)) == len(rows)
    assert Layout.of("s").row(rows[0]) == Path("results/s/llada-micro/eval/micropy-he/mask/1-1/seed0")
    assert {row.seed for row in rows if row.arm == "mask"} == {0}
    assert {row.seed for row in rows if row.arm == "flow"} == {0, 1}


def test_an_arm_can_be_limited_to_models_benchmarks_and_budgets() -> None:
    limited = {**MASK, "models": ["llada2-micro"], "benchmarks": ["micropy-mbpp"], "budgets": ["1/8"]}
    [row] = expand(study([limited]))
    assert (row.model, row.benchmark, row.budget) == ("llada2-micro", "micropy-mbpp", Fraction(1, 8))


def test_only_alignments_that_something_needs_are_run() -> None:
    assert trained_runs(study([MASK])) == []
    assert trained_runs(study([MASK, {**FLOW, "models": ["llada-micro"]}])) == [
        ("llada-micro", "preserving", 0),
        ("llada-micro", "preserving", 1),
    ]


def test_a_trained_policy_needs_the_alignment_it_is_trained_on() -> None:
    config = study([{**FLOW, "policy": "trained", "models": ["llada2-micro"]}])
    assert policy_seeds(config) == [0, 1]
    assert ("llada-micro", "preserving", 1) in trained_runs(config)


def test_settings_of_a_model_win_over_those_of_the_arm() -> None:
    arm = {**MASK, "settings": {"a": 1, "b": 2}, "model_settings": {"llada2-micro": {"b": 3}}}
    found = study([arm]).arm("mask")
    assert found.settings_for("llada-micro") == {"a": 1, "b": 2}
    assert found.settings_for("llada2-micro") == {"a": 1, "b": 3}
