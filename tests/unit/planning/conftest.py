"""A study like the paper's, as a mapping that tests change and validate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from xpflow.study.config import StudyConfig, study_from_mapping

PAPER: dict[str, Any] = {
    "study": {"name": "paper-like"},
    "problems": {
        "benchmarks": [
            {"name": "humaneval", "gen_length": 512, "limit": None},
            {"name": "mbpp", "gen_length": 256, "limit": None},
        ]
    },
    "models": [
        {"name": "llada-8b-instruct", "training": "full", "protocol": "llada-opencompass"},
        {"name": "llada2.0-mini", "training": "lora", "protocol": "llada2-chat"},
    ],
    "selfdata": {"benchmark": "tulu3-personas", "prompts": 6400, "gen_length": 256, "batch_size": 16},
    "training": {"full": {"updates": 100, "batch_size": 64}, "lora": {"updates": 400, "batch_size": 64}},
    "solvable": {"benchmark": "mbpp", "gen_length": 256, "batch_size": 8},
    "grpo": {"model": "llada-8b-instruct", "updates": 6000, "train_budget": "1/1", "rollout_shards": 8},
    "evaluation": {"batch_size": 4},
    "runtime": {
        "device": "cuda",
        "dtype": "bfloat16",
        "processes": 8,
        "micro_batch": 2,
        "vocab_chunk": 512,
        "activation_checkpointing": True,
    },
}


@pytest.fixture
def paper_like() -> Callable[..., StudyConfig]:
    """Return a maker of paper-like studies; keywords are blocks whose keys replace those above."""

    def make(**blocks: dict[str, Any]) -> StudyConfig:
        data = {**PAPER, **{name: {**PAPER.get(name, {}), **keys} for name, keys in blocks.items()}}
        return study_from_mapping(data)

    return make
