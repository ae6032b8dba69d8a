"""Generative perplexity by a tiny random GPT-2, against one token at a time."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from xpflow.cli import main
from xpflow.corpora.judge import Judge, judged, load_judge, read_samples, unigram_entropy
from xpflow.corpora.judge_repo import GPT2_LARGE
from xpflow.errors import ConfigError, DataError, ModelLoadError

END, WORDS = "<|endoftext|>", "a b c d e f g"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPT-2 as published, in small."""
    place = tmp_path_factory.mktemp("gpt2")
    vocabulary = {word: number for number, word in enumerate([*WORDS.split(), END])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="a"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=made, eos_token=END).save_pretrained(place)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = GPT2Config(vocab_size=8, n_positions=16, n_embd=16, n_layer=2, n_head=2, eos_token_id=7)
        model = GPT2LMHeadModel(config)
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=0.5)
    model.save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def judge(folder: Path) -> Judge:
    return load_judge(folder)


@torch.no_grad()
def by_hand(judge: Judge, texts: list[str], length: int = 1024) -> tuple[float, int]:
    """Sum of -log p of every counted token, each from a forward of its own on what stands before it."""
    total, count = 0.0, 0
    for text in texts:
        ids = judge.tokenizer(text, add_special_tokens=False)["input_ids"][:length]
        for place in range(1, len(ids)):
            if ids[place] == judge.end and judge.end in ids[:place]:
                continue
            logits = judge.model(input_ids=torch.tensor([ids[:place]])).logits[0, -1].double()
            total -= float(logits.log_softmax(-1)[ids[place]])
            count += 1
    return total, count


TEXTS = ["a b c", f"{END} d e f {END} g {END}", "g", f"b b {END} b a c d e f g", "c a b"]


@pytest.mark.parametrize("batch", [1, 2, 8])
@pytest.mark.parametrize("length", [1024, 4])
def test_perplexity_is_that_of_one_token_at_a_time(judge: Judge, batch: int, length: int) -> None:
    total, count = by_hand(judge, TEXTS, length)
    found = judged(judge, TEXTS, length=length, batch=batch)
    assert (found.samples, found.tokens) == (5, count)
    assert found.nll == pytest.approx(total / count, rel=1e-5)
    assert found.perplexity == pytest.approx(math.exp(total / count), rel=1e-4)


def test_entropy_tells_a_sample_that_repeats_itself(judge: Judge) -> None:
    assert unigram_entropy([3, 3, 3]) == 0
    assert unigram_entropy([1, 2, 3, 4]) == pytest.approx(math.log(4))
    assert unigram_entropy([1, 1, 2, 3]) == pytest.approx(1.5 * math.log(2))
    assert judged(judge, ["a a a", "a b"]).entropy == pytest.approx(math.log(2) / 2)
    assert judged(judge, ["a a a", "a b"], ids=[[1, 2], [1, 2]]).entropy == pytest.approx(math.log(2))


def test_nothing_to_predict_is_an_error(judge: Judge) -> None:
    with pytest.raises(DataError, match="no sample has a token to predict"):
        judged(judge, ["a", "b"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model_type": "llada"}, "holds a 'llada', and samples are judged by a gpt2"),
        ({"n_layer": 3}, "missing tensor transformer.h.2."),
        ({"eos_token_id": None}, "do not fit"),
        ({"n_embd": 8}, "the judge cannot be read"),
    ],
)
def test_a_judge_that_is_no_whole_gpt2_is_refused(
    folder: Path, tmp_path: Path, change: dict[str, object], says: str
) -> None:
    shutil.copytree(folder, tmp_path / "j")
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "j/config.json").write_text(json.dumps(config | change))
    with pytest.raises(ModelLoadError, match=says):
        load_judge(tmp_path / "j")


def test_a_judge_with_weights_that_are_not_finite_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "j")
    weights = load_file(folder / "model.safetensors")
    weights["transformer.ln_f.weight"][3] = math.nan
    save_file(weights, tmp_path / "j/model.safetensors", {"format": "pt"})
    with pytest.raises(ModelLoadError, match=r"ln_f\.weight holds NaN"):
        load_judge(tmp_path / "j")


@pytest.mark.parametrize("device", ["cuda:x", "cuda:99", "nowhere"])
def test_a_judge_is_not_sought_on_a_device_that_is_not_there(folder: Path, device: str) -> None:
    with pytest.raises(ModelLoadError, match="device"):
        load_judge(folder, device)


def test_a_sample_that_is_longer_than_the_judge_is_named_not_a_traceback(judge: Judge) -> None:
    with pytest.raises(ConfigError, match="a sample has 20 tokens, and the judge 16 places"):
        judged(judge, ["a " * 20])
    assert judged(judge, ["a " * 20], length=16).tokens == 15


def test_half_a_character_takes_no_other_sample_with_it(judge: Judge) -> None:
    assert judged(judge, [*TEXTS, "a \ud83d b"]).samples == len(TEXTS) + 1


@pytest.mark.parametrize(
    "row", [{"words": "a"}, {"text": 3}, {"text": "a b", "ids": "ab"}, {"text": "a b", "ids": [1, -2]}]
)
def test_a_row_that_is_no_sample_is_named(row: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_text('{"text": "a b", "ids": [0, 1]}\n' + json.dumps(row) + "\n")
    with pytest.raises(DataError, match="row 2: "):
        read_samples(tmp_path / "s.jsonl")


def test_the_judge_is_pinned() -> None:
    assert len(GPT2_LARGE.revision) == 40
    assert "model.safetensors" in GPT2_LARGE.patterns


def test_the_command_prints_perplexity_beside_entropy(
    folder: Path, judge: Judge, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    assert main(["text", "judge", str(tmp_path / "s.jsonl"), "--model", str(folder)]) == 0
    found, printed = judged(judge, TEXTS), capsys.readouterr().out
    assert f"perplexity {found.perplexity:.2f}" in printed
    assert f"entropy {found.entropy:.3f} nats, 5 samples" in printed
    (tmp_path / "none.jsonl").write_text('{"words": "a"}\n')
    assert main(["text", "judge", str(tmp_path / "none.jsonl"), "--model", str(folder)]) != 0
