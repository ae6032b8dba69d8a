"""What the tests of decoders and of traces share: all decoders with their examples, fake models, prompts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fakes.models import FakeModel
from xpflow.continuous.converter import Converter
from xpflow.continuous.soft_mask import SoftMask
from xpflow.decoding.decoders import DECODERS
from xpflow.noise import noise_of

OUTSIDE = Path(__file__).with_name("decoders.py")
REMASKING, SEVERAL = f"{OUTSIDE}:REMASKING", f"{OUTSIDE}:SEVERAL"
EVERY = [*DECODERS, REMASKING, SEVERAL]
CASES: list[tuple[str, dict[str, Any]]] = [
    (name, dict(example)) for name in EVERY for example in DECODERS[name].examples
]


def case_id(value: Any) -> str:
    """Return a readable name of a case for pytest."""
    return value.rpartition(":")[2].lower() if isinstance(value, str) else "-".join(map(str, value.values()))


class OwnModules:
    """What a model brings of objectives of ours: a converter, and the scalars of soft masks."""

    path, objective = Path("objective.safetensors"), "ours"

    def __init__(self, model: Any, width: int = 8) -> None:
        table_VE = model.get_input_embeddings().weight
        converter = Converter.fresh(table_VE, noise_of(model.config), width, seed=1)
        scalars = SoftMask()
        self.states = {"converter": converter.state_dict(), "soft_mask": scalars.state_dict()}

    @property
    def modules(self) -> frozenset[str]:
        """Return their names."""
        return frozenset(self.states)

    def state(self, name: str) -> dict[str, torch.Tensor]:
        """Return the weights of one."""
        return self.states[name]


every_case = pytest.mark.parametrize(("name", "values"), CASES, ids=case_id)
every_decoder = pytest.mark.parametrize("name", EVERY, ids=case_id)


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
