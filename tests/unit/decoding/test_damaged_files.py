"""Traces and policies of others, damaged or strange, are named; nothing is a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file

from xpflow.decoding.policies.learned import LearnedPolicy, PolicyShape
from xpflow.decoding.trace import load_traces
from xpflow.errors import ArtifactError, DecodingError


@pytest.mark.parametrize("name", ["t.npz", "t.jsonl"])
@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04cut", b"x", b"[]", b"[[[1]]]", b'{"head": []}', b"[" * 100_000, b"\xff\xfe"]
)
def test_what_is_no_trace_is_named(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    if name == "t.jsonl" and not data:
        assert load_traces(path) == []
        return
    with pytest.raises(ArtifactError, match="not a trace file"):
        load_traces(path)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    "shape",
    [
        {"a_min": NAN},
        {"a_max": INF},
        {"a_max": 2.0},
        {"a_min": 0.0},
        {"a_min": -1.0},
        {"a_min": 0.5, "a_max": 0.25},
        {"kappa_min": NAN},
        {"kappa_max": INF},
        {"kappa_min": 9.0, "kappa_max": 3.0},
        {"width": 0},
        {"width": 10**12},
        {"width": True},
        {"a_min": "0.1"},
    ],
    ids=str,
)
def test_a_policy_of_no_shape_is_named(tmp_path: Path, shape: dict[str, Any]) -> None:
    with pytest.raises(DecodingError, match="a step-size policy of width"):
        PolicyShape(**shape)
    policy = LearnedPolicy()
    card = {"shape": shape, "notes": {}}
    save_file(dict(policy.state_dict()), tmp_path / "p", metadata={"policy": json.dumps(card)})
    with pytest.raises(ArtifactError, match="not a saved step-size policy"):
        LearnedPolicy.load(tmp_path / "p")


@pytest.mark.parametrize("card", [{"shape": {}}, {"shape": {}, "notes": 5}, {"shape": 5, "notes": {}}, [], 5])
def test_a_policy_whose_card_lacks_a_part_is_named(tmp_path: Path, card: object) -> None:
    save_file(dict(LearnedPolicy().state_dict()), tmp_path / "p", metadata={"policy": json.dumps(card)})
    with pytest.raises(ArtifactError, match="not a saved step-size policy"):
        LearnedPolicy.load(tmp_path / "p")
