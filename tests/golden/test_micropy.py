"""What MicroPy generates never changes under one VERSION: the shipped models were trained on it.

`micropy.json` holds sha256 sums of training pairs, of prompts with solutions and first tests, and of whole
problem rows, with the Python that made them. A change of `tests` alone moves only the last.
"""

from __future__ import annotations

import hashlib
import json
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from xpflow.problems.micropy import SIZES, VERSION, Split, load
from xpflow.problems.micropy.dataset import Shape, training_pairs

GOLDEN: dict[str, Any] = json.loads(Path(__file__).with_name("micropy.json").read_text())


def sha256(rows: list[Any]) -> str:
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()


def without_hidden_tests(row: dict[str, Any]) -> dict[str, Any]:
    """Return a problem row with its first assert only."""
    tests = row["test_list"] if "test_list" in row else row["test"].splitlines()[1:]
    hidden = {"test_list", "test"}
    return {key: value for key, value in row.items() if key not in hidden} | {"first_test": tests[0].strip()}


def test_the_version_is_the_one_of_the_golden_file() -> None:
    assert GOLDEN["version"] == VERSION


def test_training_pairs_are_the_ones_that_the_shipped_models_saw() -> None:
    assert sha256(list(islice(training_pairs(0), 200))) == GOLDEN["training_pairs"]


@pytest.mark.parametrize(("shape", "split"), sorted(SIZES))
def test_problems_are_the_same_everywhere(shape: Shape, split: Split) -> None:
    rows = [problem.to_row() for problem in load(shape, split)]
    assert sha256([without_hidden_tests(row) for row in rows]) == GOLDEN["prompts"][f"{shape}/{split}"]
    assert sha256(rows) == GOLDEN["problems"][f"{shape}/{split}"]
