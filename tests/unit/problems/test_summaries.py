"""Published summaries: which items are taken, how documents are cut, and what is asked; pages to continue."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from xpflow.errors import ConfigError, DataError
from xpflow.problems.benchmark import load_benchmark
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.problems.benchmarks.fineweb_edu import continuations
from xpflow.problems.benchmarks.summaries import chosen, cut
from xpflow.protocols.find import find_protocol

COLUMNS = {
    "xsum": ("document", "summary"),
    "cnn-dailymail": ("article", "highlights"),
    "pubmed-abstracts": ("article", "abstract"),
    "arxiv-abstracts": ("article", "abstract"),
}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_items_are_those_that_datasets_shuffles_to_the_front() -> None:
    shuffled = Dataset.from_dict({"number": list(range(57))}).shuffle(seed=42)["number"]
    assert chosen(57, 20) == list(shuffled)[:20]


@pytest.mark.parametrize("name", list(COLUMNS))
def test_a_split_gives_its_items_with_their_references(name: str, tmp_path: Path) -> None:
    document, summary = COLUMNS[name]
    rows = [{document: f"page {i} " + "word " * 1600, summary: f" sum {i}\n"} for i in range(210)]
    sources = BENCHMARKS[name].with_file(write(tmp_path / "v.jsonl", rows))
    problems = load_benchmark(name, "validation", sources=sources)
    numbers = chosen(210, 200)
    assert [one.task_id for one in problems] == [f"{name}/validation/{number}" for number in numbers]
    first = problems[0]
    assert first.prompt.split() == ["page", str(numbers[0]), *["word"] * 1498]
    assert first.tests == (f"sum {numbers[0]}",)
    asked = find_protocol("llada-summaries").turns(first)[0].content
    assert asked.endswith(first.prompt)
    assert {"xsum": "one sentence", "cnn-dailymail": "three sentences"}.get(name, "abstract") in asked


def test_too_few_rows_and_data_without_a_commit_are_errors(tmp_path: Path) -> None:
    few = write(tmp_path / "v.jsonl", [{"document": "a", "summary": "b"}])
    with pytest.raises(DataError, match="1 rows, and 1000 are taken"):
        load_benchmark("xsum", sources=BENCHMARKS["xsum"].with_file(few))
    with pytest.raises(ConfigError, match="no commit of it") as error:
        load_benchmark("pubmed-abstracts")
    assert "problems.sources.files.pubmed-abstracts" in str(error.value.hint)


def test_a_short_text_is_not_touched_by_the_cut() -> None:
    assert cut(" two  words\nhere ", 3) == "two  words\nhere"
    assert cut("two  words\nhere", 2) == "two words"


def test_pages_are_cut_into_a_beginning_and_what_follows() -> None:
    pages = [{"text": "short"}, {"text": " ".join(map(str, range(400)))}]
    (problem,) = continuations(pages, "here")
    assert problem.task_id == "fineweb-edu/1"
    assert problem.prompt == "Continue this text.\n\n" + " ".join(map(str, range(64)))
    assert problem.canonical_solution == " ".join(map(str, range(64, 320)))
    assert not problem.tests
    with pytest.raises(DataError, match="here, row 0: no text"):
        list(continuations([{"content": "a"}], "here"))
