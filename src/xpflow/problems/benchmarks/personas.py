"""The Tulu 3 persona-code prompts (34,999 requests, ODC-BY-1.0) for self-alignment: prompts, no tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xpflow.errors import DataError
from xpflow.hub.repo import HubRepo, read_parquet
from xpflow.hub.tables import read_rows
from xpflow.problems.benchmark import Benchmark, Data, PromptLengths
from xpflow.problems.problem import Problem

SHAPE = "mbpp"


def load(data: Data, split: str) -> Sequence[Problem]:
    """Return the prompts in the order of the data set.

    There is no default revision, because no public source pins one: the study must name a commit of the hub
    repository, or a local file or Arrow folder of rows {id, prompt, messages}.

    Raises:
        DataError: the data is malformed.
        HubError: the data was not fetched.
    """
    if data.file is not None:
        return persona_problems(read_rows(data.file), str(data.file))
    assert data.repo is not None
    return persona_problems(read_parquet(data.repo, "**/*.parquet"), data.repo.label)


def persona_problems(rows: Sequence[Mapping[str, Any]], where: str) -> list[Problem]:
    """Turn rows {id, prompt, messages} into problems without tests; the solution is the assistant's turn."""
    return [_problem(row, f"{where}, prompt {number}") for number, row in enumerate(rows, start=1)]


def _problem(row: Mapping[str, Any], where: str) -> Problem:
    for field in ("id", "prompt"):
        if not isinstance(row.get(field), str) or not row[field]:
            raise DataError(f"{where}, field {field!r}: expected a string, found {row.get(field)!r:.60}")
    return Problem(
        task_id=row["id"],
        prompt=row["prompt"],
        entry_point="",
        tests=(),
        canonical_solution=_answer(row.get("messages")),
        source=BENCHMARK.name,
        split="train",
        shape=SHAPE,
        shown_tests=0,
    )


def _answer(messages: Any) -> str:
    """Return the last assistant turn, or nothing."""
    turns = messages if isinstance(messages, list) else []
    found = [
        turn.get("content") for turn in turns if isinstance(turn, dict) and turn.get("role") == "assistant"
    ]
    return found[-1] if found and isinstance(found[-1], str) else ""


BENCHMARK = Benchmark(
    name="tulu3-personas",
    about="Tulu 3 persona code prompts, no tests",
    shape=SHAPE,
    load=load,
    tested=None,
    sizes={"train": 34_999},
    default_split="train",
    file="tulu3_personas",
    hub=HubRepo(
        "tulu3-personas", "allenai/tulu-3-sft-personas-code", "", "dataset", "Tulu 3 persona code prompts"
    ),
    revision="tulu3_personas_revision",
    prompts=PromptLengths(150, 600),
    download_bytes=100e6,
    license="odc-by",
    made="Written by models in persons' voices (allenai/tulu-3-sft-personas-code).",
)
