"""Fake models, prompts, and the traces of flow on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fakes.decoding import make_model, prompts
from xpflow.decoding import Trace, decode, settings_from

__all__ = ["make_model", "prompts"]


@pytest.fixture(scope="session")
def flows(make_model: Callable[..., Any], prompts: list[list[int]]) -> Callable[..., tuple[Any, list[Trace]]]:
    """Return a function that decodes the prompts with flow: the result and its traces."""

    def run(block_length: int = 0, **settings: object) -> tuple[Any, list[Trace]]:
        model = make_model(block_length=block_length)
        chosen = settings_from("flow", {"gen_length": 16, "budget": "1/4", "batch_size": 3, **settings})
        result = decode(model, prompts, chosen, trace=True)
        return model, result.trace or []

    return run
