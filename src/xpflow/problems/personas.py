"""The Tulu 3 persona-code prompts (34,999 requests, ODC-BY-1.0) for self-alignment: prompts, no tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xpflow.artifacts.io import read_jsonl
from xpflow.errors import DataError
from xpflow.hub.catalogue import PERSONAS_ID, personas
from xpflow.hub.snapshot import local_snapshot, read_parquet
from xpflow.problems.problem import Problem
from xpflow.problems.sources import DataSources, announce_file


def load_personas(sources: DataSources) -> list[Problem]:
    """Return the prompts in the order of the data set.

    There is no default revision, because no public source pins one: the config must name a commit of the hub
    repository, or a local file of rows {id, prompt, messages}.

    Raises:
        DataError: neither is given, or the data is malformed.
        HubError: the data was not fetched.
    """
    if sources.tulu3_personas is not None:
        announce_file(sources.tulu3_personas, "problems.sources.tulu3_personas")
        return persona_problems(read_jsonl(sources.tulu3_personas), str(sources.tulu3_personas))
    if not sources.tulu3_personas_revision:
        raise DataError(
            f"{PERSONAS_ID}: no revision given, and none is pinned by default",
            hint="name a commit hash of the data set (or a local file) in the config's problems block",
        )
    repo = personas(sources.tulu3_personas_revision)
    rows = read_parquet(local_snapshot(repo), "**/*.parquet")
    return persona_problems(rows, f"{repo.hub_id}@{repo.revision[:12]}")


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
        source="tulu3-personas",
        split="train",
        shape="mbpp",
        shown_tests=0,
    )


def _answer(messages: Any) -> str:
    """Return the last assistant turn, or nothing."""
    turns = messages if isinstance(messages, list) else []
    found = [
        turn.get("content") for turn in turns if isinstance(turn, dict) and turn.get("role") == "assistant"
    ]
    return found[-1] if found and isinstance(found[-1], str) else ""
