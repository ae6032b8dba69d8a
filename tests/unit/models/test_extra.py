"""objective.safetensors in a model's folder: found when a model is opened, read when it is asked for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from xpflow.errors import ModelLoadError
from xpflow.models.extra import EXTRA, find_extra, save_extra
from xpflow.models.load import load_model
from xpflow.models.registry import model_folder

STATE = {"scalars.one": torch.ones(1), "scalars.two": torch.zeros(2), "head.weight": torch.ones(2, 2)}


def test_a_folder_without_the_file_has_none(tmp_path: Path) -> None:
    assert find_extra(tmp_path) is None
    save_extra({}, "masked", {}, tmp_path)
    assert not (tmp_path / EXTRA).exists()


def test_modules_come_back_one_by_one_with_name_and_settings(tmp_path: Path) -> None:
    save_extra(STATE, "mine", {"top": 3}, tmp_path)
    found = find_extra(tmp_path)
    assert found is not None
    assert (found.objective, dict(found.settings), found.modules) == ("mine", {"top": 3}, {"scalars", "head"})
    assert found.state("scalars").keys() == {"one", "two"}
    assert found.state("none") == {}


def test_an_open_model_knows_the_file_of_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_folder("llada-micro"), folder)
    assert load_model(folder)[0].objective_file is None
    save_extra(STATE, "mine", {}, folder)
    file = load_model(folder)[0].objective_file
    assert file.path == folder / EXTRA
    assert file.modules == {"scalars", "head"}


def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / EXTRA).write_bytes(b"\x05\0\0\0\0\0\0\0abcde")
    with pytest.raises(ModelLoadError, match=EXTRA):
        find_extra(tmp_path)
    save_extra({"one.a": torch.tensor([float("nan")])}, "mine", {}, tmp_path)
    found = find_extra(tmp_path)
    assert found is not None
    with pytest.raises(ModelLoadError, match=r"one\.a holds NaN"):
        found.state("one")
    (tmp_path / EXTRA).unlink()
    with pytest.raises(ModelLoadError, match=EXTRA):
        found.state("one")
