"""Files of a model that contradict themselves, or lack a part: an error, and never another prompt."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from xpflow.errors import ModelLoadError
from xpflow.models.load import load_model, load_tokenizer
from xpflow.models.registry import SHIPPED
from xpflow.models.tokenizer import encode_prompt
from xpflow.protocols.find import find_protocol
from xpflow.protocols.prompter import Prompter


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a shipped model."""
    shutil.copytree(SHIPPED / "llada-micro", tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.rstrip()[:-1] + ', "n_heads": 4}', "key 'n_heads' comes twice"),
        (lambda text: text.replace('"float32"', '["a"]'), "cannot be read"),
        (lambda text: "[" * 100_000, "not a JSON object"),
        (lambda text: '[["model_type", "llada"]]', "not a JSON object, but list"),
        (lambda text: text.rstrip()[:-1] + f', "n_layers": {"9" * 5000}}}', "not a JSON object"),
    ],
    ids=["twice", "type", "deep", "pairs", "digits"],
)
def test_a_strange_config_is_named(folder: Path, change: object, words: str) -> None:
    file = folder / "config.json"
    assert callable(change)
    file.write_text(change(file.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ModelLoadError, match=words):
        load_model(folder)


def test_a_config_with_a_byte_order_mark_is_read(folder: Path) -> None:
    file = folder / "config.json"
    file.write_text("\ufeff" + file.read_text(encoding="utf-8"), encoding="utf-8")
    load_model(folder)


def test_a_tokenizer_that_cuts_its_special_tokens_is_refused(folder: Path) -> None:
    file = folder / "tokenizer.json"
    fields = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**fields, "added_tokens": []}), encoding="utf-8")
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        (folder / name).unlink(missing_ok=True)
    with pytest.raises(ModelLoadError, match=r"cuts its special token .* in pieces"):
        load_tokenizer(folder)


@pytest.mark.parametrize("template", ["hello", "<|start_header_id|>user<|end_header_id|>", ""])
def test_a_template_that_leaves_the_prompt_out_is_refused(folder: Path, template: str) -> None:
    tokenizer = load_tokenizer(folder)
    tokenizer.chat_template = template
    with pytest.raises(ModelLoadError, match=r"does not print the text of a turn|not set"):
        encode_prompt(tokenizer, "Return the sum.")
    with pytest.raises(ModelLoadError, match=r"does not print the text of a turn|not set"):
        Prompter(find_protocol("micropy"), tokenizer).encode_text("Return the sum.")
