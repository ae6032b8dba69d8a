"""Tokenizers of vocab.json and merges.txt: the ids of transformers' own class, and errors."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import Qwen2Tokenizer

from xpflow.errors import ModelLoadError
from xpflow.models.architectures import ARCHITECTURES
from xpflow.models.load import load_tokenizer
from xpflow.models.stored import tokenizer_sha256
from xpflow.models.tokenizer import encode_prompt
from xpflow.problems.micropy.dataset import training_pairs

KIND = ARCHITECTURES["Dream"].tokenizer
TEXTS = (
    "def add(a, b):\n    return a + b  # ünïcode\r\n\n\tx = 12345\n",
    "We're   here;  I'LL see\u00a0you\u2003there!!\n\n\n  \n",
    "e\u0301 is not é until NFC, and 中文 ١٢ ½ 🙂 too",
    "<|im_start|>user\nAdd.<|im_end|>\n<|mask|><|mask|> <tool>x</tool>",
    "",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tokenizer's files as Dream's repositories have them."""
    found = tmp_path_factory.mktemp("dream")
    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    texts = [text for pair in islice(training_pairs(0), 200) for text in pair]
    bare.train_from_iterator([*texts, *TEXTS], trainer=trainer)
    bare.model.save(str(found))
    size = bare.get_vocab_size()
    added = {size + i: word for i, word in enumerate(("<|endoftext|>", "<|im_start|>", "<|im_end|>"))}
    added |= {size + 3: "<tool>", size + 4: "<|beginoftext|>", size + 5: "<|mask|>"}
    plain = {"normalized": False, "lstrip": False, "rstrip": False, "single_word": False}
    fields = {
        "added_tokens_decoder": {
            str(number): {"content": word, "special": word != "<tool>", **plain}
            for number, word in added.items()
        },
        "bos_token": "<|beginoftext|>",
        "eos_token": {"content": "<|endoftext|>", "lstrip": False},
        "pad_token": "<|endoftext|>",
        "mask_token": "<|mask|>",
        "chat_template": KIND.chat_template,
        "tokenizer_class": "DreamTokenizer",
    }
    (found / "tokenizer_config.json").write_text(json.dumps(fields))
    (found / "config.json").write_text(json.dumps({"model_type": "Dream"}))
    return found


def test_ids_are_those_of_qwen2_s_own_class_and_text_comes_back(folder: Path) -> None:
    ours = load_tokenizer(folder)
    merges = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()
    pairs = [tuple(line.split(" ")) for line in merges if not line.startswith("#version")]
    theirs = Qwen2Tokenizer(json.loads((folder / "vocab.json").read_text(encoding="utf-8")), pairs)
    for text in TEXTS[:3]:
        ids = ours(text)["input_ids"]
        assert ids == theirs(text)["input_ids"]
        assert ours.decode(ids) == theirs.decode(ids)
    assert ours.decode(ours(TEXTS[0])["input_ids"]) == TEXTS[0]


def test_added_tokens_are_whole_and_have_their_roles(folder: Path) -> None:
    ours = load_tokenizer(folder)
    size = len(json.loads((folder / "vocab.json").read_text(encoding="utf-8")))
    ids = ours(TEXTS[3])["input_ids"]
    assert [ids[0], ids[-1]] == [size + 1, *ours(">")["input_ids"]]
    assert ids.count(size + 5) == 2
    assert size + 3 in ids
    assert ours.decode(ids, skip_special_tokens=True) == "user\nAdd.\n <tool>x</tool>"
    roles = (ours.bos_token, ours.eos_token, ours.pad_token, ours.mask_token)
    assert roles == ("<|beginoftext|>", "<|endoftext|>", "<|endoftext|>", "<|mask|>")
    prompt = ours.decode(encode_prompt(ours, "Add."))
    assert prompt == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\nAdd.<|im_end|>\n<|im_start|>assistant\n"
    )


def test_its_hash_covers_every_file(folder: Path, tmp_path: Path) -> None:
    copied = copy_of(folder, tmp_path / "same")
    assert tokenizer_sha256(copied) == tokenizer_sha256(folder)
    (copied / "merges.txt").write_text("#version: 0.2\n")
    assert tokenizer_sha256(copied) != tokenizer_sha256(folder)


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        ("merges.txt", lambda text: text + "a b c\n", "no pair of tokens"),
        ("merges.txt", lambda text: text + "zzz qqq\n", "do not fit"),
        (
            "tokenizer_config.json",
            lambda text: text.replace('"7', '"8', 1),
            "has the id 701 there, and 700",
        ),
        ("config.json", lambda text: text.replace("Dream", "llada"), "how a text is cut into words"),
    ],
)
def test_what_does_not_fit_is_an_error(
    file: str, change: Any, says: str, folder: Path, tmp_path: Path
) -> None:
    copied = copy_of(folder, tmp_path / "wrong")
    (copied / file).write_text(change((copied / file).read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ModelLoadError, match=says):
        load_tokenizer(copied)


def copy_of(folder: Path, place: Path) -> Path:
    place.mkdir()
    for file in folder.iterdir():
        (place / file.name).write_bytes(file.read_bytes())
    return place
