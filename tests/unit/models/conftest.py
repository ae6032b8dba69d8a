"""Fixtures of the model tests: small random models whose every tensor differs from its initial value."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from transformers import PreTrainedModel

from xpflow.models.registry import MICRO_NAMES
from xpflow.models.untrained import SpecialIds, micro_config, new_model

VOCAB = 101


@pytest.fixture(params=MICRO_NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """Each architecture in turn."""
    return str(request.param)


@pytest.fixture(scope="session")
def make_model() -> Callable[..., PreTrainedModel]:
    """Return a factory: micro architecture by name, norms, biases and router moved off their defaults."""

    def make(name: str, seed: int = 0, **changes: object) -> PreTrainedModel:
        config = micro_config(name, VOCAB, SpecialIds(mask_token_id=4, eos_token_id=1, pad_token_id=0))
        for field, value in changes.items():
            setattr(config, field, value)
        model = new_model(config, seed).eval()
        generator = torch.Generator().manual_seed(seed)
        for key, tensor in model.state_dict().items():
            noise = torch.randn(tensor.shape, generator=generator)
            if "norm" in key or "ln_f" in key or "expert_bias" in key:
                tensor += 0.1 * noise
            elif "gate.weight" in key or "word_embeddings" in key or "wte" in key:
                tensor += 0.2 * noise
        return model

    return make


@pytest.fixture(scope="session")
def ids() -> Callable[..., torch.Tensor]:
    """Return a factory of random token ids [rows, length]."""

    def make(rows: int, length: int, seed: int = 0) -> torch.Tensor:
        return torch.randint(0, VOCAB, (rows, length), generator=torch.Generator().manual_seed(seed))

    return make
