"""Rows that say one thing twice, or tell samples apart by what is not equal to itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpflow.artifacts.io import read_jsonl
from xpflow.errors import ArtifactError, DataError
from xpflow.problems import problems_from_file
from xpflow.reporting.results import read_answers

ROW = '{"task_id": "t/0", "verdict": "passed"%s}\n'


@pytest.mark.parametrize("line", ['{"a": 1, "a": 2}', '{"a": {"b": 1, "b": 1}}', '{"a": [{"b": 1, "b": 2}]}'])
def test_a_key_that_comes_twice_is_an_error(tmp_path: Path, line: str) -> None:
    (tmp_path / "f").write_text('{"a": 1}\n' + line)
    with pytest.raises(ArtifactError, match=r"line 2: not JSON \(key '[ab]' comes twice\)"):
        read_jsonl(tmp_path / "f")


@pytest.mark.parametrize("sample", ["NaN", "1.5", "true", "null", "[0]", "{}", "1e400"])
def test_a_sample_is_a_whole_number_or_a_name(tmp_path: Path, sample: str) -> None:
    line = ROW % f', "sample": {sample}'
    (tmp_path / "v").write_text(line + line)
    with pytest.raises(DataError, match="row 1: field 'sample'"):
        read_answers(tmp_path / "v")


def test_an_empty_file_of_problems_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("\n\n")
    with pytest.raises(DataError, match="holds no problem"):
        problems_from_file(tmp_path / "p")
