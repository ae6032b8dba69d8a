"""The folder of a run, read back: another run's, a damaged one's and one of another kind are told apart."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from xpflow.errors import ArtifactError
from xpflow.training.finite import TrainingError
from xpflow.training.run_folder import load_modules, read_recipe, require_run
from xpflow.training.text_run import TextRecipe

RECIPE = TextRecipe("infinite_mask", {"coupling": "none", "width": 4}, updates=3)


def written(folder: Path, recipe: TextRecipe = RECIPE, **besides: object) -> Path:
    (folder / "recipe.json").write_text(json.dumps({"world": "orders", **asdict(recipe), **besides}))
    return folder


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_recipe(written(tmp_path)) == (RECIPE, {"world": "orders"})
    assert read_recipe(written(tmp_path, length=8), ("length",))[1] == {"world": "orders", "length": 8}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"world": 3}', '{"objective": "masked"}', '{"world": "a", "settings": 3}']
)
def test_what_is_no_recipe_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "recipe.json").write_text(text)
    with pytest.raises(ArtifactError, match=r"recipe\.json"):
        read_recipe(tmp_path)


def test_a_run_of_the_other_kind_is_said(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no recipe of a run on packed rows"):
        read_recipe(written(tmp_path), ("length",))
    with pytest.raises(ArtifactError, match="no recipe of a run on a world"):
        read_recipe(written(tmp_path, length=8))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seed": 1}, r"seed \(1 there, 0 in the study\)"),
        ({"objective": "masked"}, "objective"),
        ({"updates": 4}, r"updates \(4 there, 3"),
        ({"settings": {"width": 8}}, r"settings\.width \(8 there, 4"),
        ({"learning_rate": 1e-3}, "learning_rate"),
    ],
)
def test_numbers_of_another_run_are_not_filed_under_this_one(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    with pytest.raises(ArtifactError, match=f"holds another run: .*{says}"):
        require_run(written(tmp_path, replace(RECIPE, **change)), "orders", RECIPE)
    with pytest.raises(ArtifactError, match=r"world \(orders there, english in the study\)"):
        require_run(written(tmp_path), "english", RECIPE)


def test_places_of_files_and_how_often_it_was_saved_tell_no_run_from_another(tmp_path: Path) -> None:
    made = replace(RECIPE, settings={"width": 4, "coupling": "/there/pairs"}, save_every=7, log_every=1)
    require_run(written(tmp_path, made), "orders", RECIPE)


@pytest.mark.parametrize(
    ("tensors", "error"),
    [
        ({"noise.weight": [[math.nan]]}, TrainingError),
        ({"noise.weight": [[math.inf]]}, TrainingError),
        ({"noise.weight": [[1.0, 2.0]]}, ArtifactError),
        ({"order.weight": [[1.0]]}, ArtifactError),
        (None, ArtifactError),
    ],
)
def test_modules_are_whole_and_finite(
    tmp_path: Path, tensors: dict[str, Any] | None, error: type[Exception]
) -> None:
    student: Any = SimpleNamespace(extra=nn.ModuleDict({"noise": nn.Linear(1, 1, bias=False)}))
    file = tmp_path / "checkpoint" / "objective.safetensors"
    file.parent.mkdir()
    if tensors is not None:
        save_file({name: torch.tensor(values) for name, values in tensors.items()}, file)
    with pytest.raises(error, match=r"objective\.safetensors"):
        load_modules(cast(Any, student), tmp_path)
    save_file({"noise.weight": torch.tensor([[3.0]])}, file)
    load_modules(student, tmp_path)
    assert student.extra["noise"].weight.item() == 3.0
