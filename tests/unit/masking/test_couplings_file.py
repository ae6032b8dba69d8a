"""Files of couplings that are none: named when they are read, and before a model is asked at their ids."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from xpflow.errors import ArtifactError, ConfigError
from xpflow.masking.couplings import load_couplings
from xpflow.training.objective import make_loss

IDS, SEEDS = torch.tensor([[0, 1, 2], [3, 4, 5]]), torch.tensor([7, 8])


def write(path: Path, ids: Tensor = IDS, seeds: Tensor = SEEDS) -> Path:
    save_file({"ids": ids, "seeds": seeds}, path)
    return path


@pytest.mark.parametrize(
    "tensors",
    [
        {"ids": IDS.float()},
        {"ids": IDS[0]},
        {"seeds": SEEDS[:1]},
        {"seeds": SEEDS.float()},
        {"ids": IDS[:0], "seeds": SEEDS[:0]},
        {"ids": IDS - 1},
        {"seeds": -SEEDS},
    ],
)
def test_what_is_no_couplings_is_named(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="pairs"):
        load_couplings(write(tmp_path / "pairs", **tensors))


def test_couplings_of_another_language_are_refused_before_the_first_update(tmp_path: Path) -> None:
    loss = make_loss("infinite_mask", {"coupling": str(write(tmp_path / "pairs"))})
    model: Any = SimpleNamespace(config=SimpleNamespace(vocab_size=5, hidden_size=4))
    with pytest.raises(ConfigError, match="couplings have the id 5, and the model 5 words"):
        loss.modules(model)
    model.config.vocab_size = 6
    assert loss.modules(model).keys() == {"noise"}
