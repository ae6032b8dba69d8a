"""No number of a study may be infinite or no number: none means anything, and both pass comparisons."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from xpflow.errors import ConfigError
from xpflow.study.config import StudyConfig, load_study
from xpflow.study.config.base import model_in


def kinds(annotation: Any) -> Iterator[Any]:
    """Yield what an annotation is made of, bounds of numbers looked through."""
    for one in get_args(annotation):
        yield from (one, *get_args(one)[:1])


def places(model: type[BaseModel], where: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted key of every number of a study with its type; lists of blocks are not entered."""
    for name, field in model.model_fields.items():
        key, annotation = f"{where}{name}", field.annotation
        inner = model_in(annotation)
        if inner is annotation and inner is not None:
            yield from places(inner, f"{key}.")
        elif annotation in (float, int) or {float, int} & set(kinds(annotation)):
            yield key, annotation


NUMBERS = dict(places(StudyConfig))


def write(folder: Path, key: str, value: str) -> Path:
    *blocks, last = key.split(".")
    inner = f"{{a-model: {value}}}" if str(NUMBERS.get(key)).startswith("dict") else value
    text = f"{last}: {inner}"
    for block in reversed(blocks):
        text = f"{block}: {{{text}}}"
    file = folder / "study.yaml"
    file.write_text(text + "\n", encoding="utf-8")
    return file


def test_the_numbers_of_a_study_are_found() -> None:
    assert {
        "training.full.learning_rate",
        "grpo.kappa_max",
        "grading.cpu_s",
        "pretrain.learning_rate",
    } <= set(NUMBERS)


@pytest.mark.parametrize("key", sorted(NUMBERS))
def test_no_number_of_a_study_is_infinite_or_none(key: str, tmp_path: Path) -> None:
    for value in (".inf", "-.inf", ".nan"):
        with pytest.raises(ConfigError, match=key.replace(".", r"\.")):
            load_study(write(tmp_path, key, value))


@pytest.mark.parametrize(
    "text",
    [
        "training: {runs: [{name: paper, settings: {kl_weight: .nan}}]}",
        "evaluation: {settings: {temperature: .inf}}",
        "evaluation: {arms: [{name: mask-base, decoder: threshold, settings: {threshold: .nan}}]}",
        "evaluation: {budgets: [.inf]}",
        "grpo: {train_budget: .nan}",
    ],
)
def test_nor_is_one_in_a_list_or_among_a_plug_ins_settings(text: str, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(text + "\n", encoding="utf-8")
    with pytest.raises(ConfigError):
        load_study(file)
