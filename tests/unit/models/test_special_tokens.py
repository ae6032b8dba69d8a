"""Special tokens come from the model's own files or are an error: no id is a guess, and no BOS is dropped."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from xpflow.errors import ModelLoadError, SelfTestError
from xpflow.models.load import load_model, load_tokenizer
from xpflow.models.registry import SHIPPED
from xpflow.models.selftest import masked_cross_entropy
from xpflow.models.tokenizer import encode_prompt
from xpflow.protocols.find import find_protocol
from xpflow.protocols.prompter import Prompter

MASKS = {"llada-micro": "<|mdm_mask|>", "llada2-micro": "<|mask|>"}


@pytest.fixture
def folder(name: str, tmp_path: Path) -> Path:
    """A copy of a shipped model."""
    shutil.copytree(SHIPPED / name, tmp_path / "model")
    return tmp_path / "model"


def rewrite(file: Path, *dropped: str, **changes: Any) -> None:
    fields = json.loads(file.read_text(encoding="utf-8"))
    kept = {key: value for key, value in fields.items() if key not in dropped}
    file.write_text(json.dumps({**kept, **changes}), encoding="utf-8")


def rename(folder: Path, old: str, new: str) -> None:
    """Give a token another text, wherever the tokenizer's files have it."""
    for file in (folder / "tokenizer.json", folder / "tokenizer_config.json", folder / "chat_template.jinja"):
        if file.exists():
            file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def test_a_mask_of_another_name_is_the_one_that_the_tokenizer_names(folder: Path, name: str) -> None:
    rename(folder, MASKS[name], "<mask>")
    rewrite(folder / "config.json", "mask_token_id")
    assert load_model(folder)[0].config.mask_token_id == 2


def test_a_mask_that_no_file_names_is_an_error_before_weights_are_read(folder: Path, name: str) -> None:
    rename(folder, MASKS[name], "<mask>")
    rewrite(folder / "config.json", "mask_token_id")
    rewrite(folder / "tokenizer_config.json", "mask_token")
    (folder / "model.safetensors").unlink()
    with pytest.raises(
        ModelLoadError, match="no mask_token_id, and the tokenizer names no mask tokens"
    ) as caught:
        load_model(folder)
    assert "is it 2, '<mask>'?" in caught.value.hint
    shutil.copy(SHIPPED / name / "model.safetensors", folder)
    rewrite(folder / "config.json", mask_token_id=2)
    assert load_model(folder)[0].config.mask_token_id == 2


def test_two_masks_that_differ_are_an_error_until_config_json_names_one(folder: Path) -> None:
    rewrite(folder / "config.json", "mask_token_id")
    rewrite(folder / "tokenizer_config.json", mask_token="a")
    with pytest.raises(ModelLoadError, match="the tokenizer names 2 mask tokens"):
        load_model(folder)
    rewrite(folder / "config.json", mask_token_id=2)
    assert load_model(folder)[0].config.mask_token_id == 2
    rewrite(folder / "config.json", mask_token_id=3)
    with pytest.raises(
        ModelLoadError, match=r"mask_token_id is 3 in config\.json, \d+ or 2 in the tokenizer"
    ):
        load_model(folder)


def test_ids_of_end_and_padding_that_config_json_leaves_out_are_the_tokenizers(folder: Path) -> None:
    rewrite(folder / "config.json", "eos_token_id", "pad_token_id", "bos_token_id")
    config = load_model(folder)[0].config
    assert (config.bos_token_id, config.eos_token_id, config.pad_token_id) == (0, 1, 1)
    rename(folder, "<|endoftext|>", "</s>")
    rewrite(folder / "tokenizer_config.json", "eos_token", "pad_token")
    with pytest.raises(ModelLoadError, match="says which token ends a text"):
        load_model(folder)


def test_a_tokenizer_that_is_larger_than_the_model_is_an_error(folder: Path) -> None:
    fields = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    fields["added_tokens"].append({**fields["added_tokens"][0], "id": 1024, "content": "<|new|>"})
    (folder / "tokenizer.json").write_text(json.dumps(fields), encoding="utf-8")
    with pytest.raises(ModelLoadError, match="ids up to 1024, the model 1024 rows"):
        load_model(folder)


def test_without_tokenizer_config_a_prompt_is_the_same_and_begins_with_the_same_token(
    folder: Path, name: str
) -> None:
    whole = load_tokenizer(SHIPPED / name)
    (folder / "tokenizer_config.json").unlink()
    bare = load_tokenizer(folder)
    assert encode_prompt(bare, "Add a and b.") == encode_prompt(whole, "Add a and b.")
    prompts = [Prompter(find_protocol(), tokenizer).encode_text("Add.") for tokenizer in (bare, whole)]
    assert prompts[0] == prompts[1]
    roles = ("bos_token_id", "eos_token_id", "pad_token_id", "mask_token_id")
    assert [getattr(bare, role) for role in roles] == [getattr(whole, role) for role in roles]
    assert (prompts[0][0] == whole.bos_token_id) == (name == "llada-micro")
    answer = [*bare("return a", add_special_tokens=False)["input_ids"], 1, 2]
    assert bare.decode(answer, skip_special_tokens=True) == whole.decode(answer, skip_special_tokens=True)


def test_a_template_that_prints_a_token_which_no_file_names_is_an_error(folder: Path) -> None:
    rename(folder, "<|startoftext|>", "<s>")
    (folder / "tokenizer_config.json").unlink()
    (folder / "chat_template.jinja").write_text(
        "{{ bos_token }}{{ messages[0]['content'] }}", encoding="utf-8"
    )
    with pytest.raises(ModelLoadError, match="prints bos_token, and no file says which token that is"):
        load_tokenizer(folder)
    (folder / "tokenizer_config.json").write_text('{"bos_token": "<s>"}', encoding="utf-8")
    assert encode_prompt(load_tokenizer(folder), "a")[0] == 0
    (folder / "tokenizer_config.json").write_text('{"bos_token": null}', encoding="utf-8")
    assert load_tokenizer(folder).bos_token is None  # as its publisher says


def test_the_self_test_asks_with_an_open_assistants_turn(folder: Path) -> None:
    published = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    opening = "[assistant]"
    (folder / "chat_template.jinja").write_text(
        "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}"
        "{% if add_generation_prompt %}" + opening + "{% endif %}",
        encoding="utf-8",
    )
    tokenizer = load_tokenizer(folder)
    assert tokenizer.decode(encode_prompt(tokenizer, "Add.")) == "[user]Add." + opening
    assert Prompter(find_protocol(), tokenizer).encode_text("Add.") == encode_prompt(tokenizer, "Add.")
    assert opening not in published


@pytest.mark.parametrize("template", [None, "{{ messages[0]['content'] ", "{{ raise_exception('no') }}"])
def test_a_chat_template_that_is_broken_or_absent_is_an_error_that_says_where_it_is(
    folder: Path, template: str | None
) -> None:
    (folder / "chat_template.jinja").unlink()
    if template is not None:
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    with pytest.raises(ModelLoadError, match="chat template cannot be rendered") as caught:
        encode_prompt(load_tokenizer(folder), "a")
    assert "chat_template.jinja" in caught.value.hint


class Recorded:
    """A model that keeps what it was asked."""

    def __init__(self, model: PreTrainedModel, **config: Any) -> None:
        self.model, self.config = model, model.config
        for key, value in config.items():
            setattr(self.config, key, value)
        self.parameters = model.parameters

    def __call__(self, input_ids: torch.Tensor, **rest: Any) -> Any:
        self.asked = input_ids
        return self.model(input_ids=input_ids, **rest)


def test_the_self_test_hides_tokens_behind_the_models_own_noise(name: str) -> None:
    model, tokenizer = load_model(name)
    asked = Recorded(model, mask_token_ids=[4, 2], mask_token_id=None)
    masked_cross_entropy(asked, tokenizer)  # type: ignore[arg-type]
    assert int((asked.asked == 4).sum()) > 10
    with pytest.raises(SelfTestError, match="has none"):
        masked_cross_entropy(Recorded(model, noise="gaussian"), tokenizer)  # type: ignore[arg-type]
