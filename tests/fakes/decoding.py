"""Fixtures that the tests of decoders and of traces share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from fakes.models import FakeModel


@pytest.fixture(scope="session")
def make_model() -> Callable[..., FakeModel]:
    """Return a factory of fake models in float64 (batch shapes then never change a token)."""

    def make(**options: int) -> FakeModel:
        return FakeModel(**options).double().eval()

    return make


@pytest.fixture(scope="session")
def prompts() -> list[list[int]]:
    """Return prompts of several lengths, none with the mask id."""
    generator = torch.Generator().manual_seed(3)
    lengths = [5, 9, 9, 12, 7, 16, 3, 20]
    return [torch.randint(3, 36, (n,), generator=generator).tolist() for n in lengths]
