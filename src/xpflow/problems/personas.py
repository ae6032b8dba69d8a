"""The Tulu 3 persona-code prompts (34,999 requests, ODC-BY-1.0) for self-alignment: prompts, no tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xpflow.artifacts.io import read_jsonl
from xpflow.errors import DataError
from xpflow.problems.problem import Problem
from xpflow.problems.sources import DataSources, announce_file

HUB_ID = "allenai/tulu-3-sft-personas-code"


def load_personas(sources: DataSources) -> list[Problem]:
    """Return the prompts in the order of the data set.

    There is no default revision, because no public source pins one: the config must name a commit of the hub
    repository, or a local file of rows {id, prompt, messages}.

    Raises:
        DataError: neither is given, or the data cannot be had or is malformed.
    """
    if sources.tulu3_personas is not None:
        announce_file(sources.tulu3_personas, "problems.sources.tulu3_personas")
        return persona_problems(read_jsonl(sources.tulu3_personas), str(sources.tulu3_personas))
    if not sources.tulu3_personas_revision:
        raise DataError(
            f"{HUB_ID}: no revision given, and none is pinned by default",
            hint="name a commit hash of the data set (or a local file) in the config's problems block",
        )
    where = f"{HUB_ID}@{sources.tulu3_personas_revision[:12]}"
    from datasets import load_dataset

    try:
        data = load_dataset(HUB_ID, split="train", revision=sources.tulu3_personas_revision)
    except Exception as error:  # the hub client raises many kinds: offline, absent, gated, broken cache
        raise DataError(
            f"cannot load {where}: {type(error).__name__}: {error}",
            hint="without network, give a local file in the config's problems block",
        ) from error
    return persona_problems([dict(row) for row in data], where)


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
