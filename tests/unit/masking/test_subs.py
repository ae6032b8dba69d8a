"""SUBS on a diffusion transformer: no mask, what is seen stays, float64, and the NFE that ran."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from xpflow.cli import main
from xpflow.masking.subs import sampled_texts, subs_denoiser
from xpflow.models.checkpoint import save_checkpoint
from xpflow.models.mdlm import MDLMConfig
from xpflow.models.untrained import new_model

WORDS, MASK = 12, 12


@pytest.fixture
def model() -> Any:
    """A model whose favourite word is the mask."""
    sizes = {"hidden_dim": 16, "cond_dim": 4, "n_blocks": 1, "n_heads": 2, "model_length": 10}
    ids = {"mask_token_id": MASK, "eos_token_id": 0, "pad_token_id": 0, "bos_token_id": 0}
    made = new_model(MDLMConfig(vocab_size=WORDS + 1, initializer_range=0.5, **sizes, **ids), 0).eval()
    with torch.no_grad():
        made.get_output_embeddings().bias[MASK] = 50
    return made


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    words = {"<|endoftext|>": 0, **{f"w{number}": number for number in range(1, WORDS)}}
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="w1")))


@pytest.mark.parametrize("words", [None, 9])
def test_the_mask_has_no_probability_and_what_is_seen_is_carried_over(model: Any, words: int | None) -> None:
    generator = torch.Generator().manual_seed(0)
    ids_BL = torch.randint(0, 9, (11, 10), generator=generator)
    open_BL = torch.rand(11, 10, generator=generator) < 0.5
    log_p_BLV = subs_denoiser(model, words, rows=4)(ids_BL, open_BL)
    assert log_p_BLV.dtype == torch.float64
    p_BLV = log_p_BLV.exp()
    torch.testing.assert_close(p_BLV.sum(-1), torch.ones(11, 10, dtype=torch.float64))
    assert not p_BLV[..., MASK].any()
    assert words is None or not p_BLV[..., words:].any()
    assert torch.equal(p_BLV[~open_BL].argmax(-1), ids_BL[~open_BL])
    assert bool((p_BLV[~open_BL].max(-1).values == 1).all())
    with torch.no_grad():
        logits_BLV = model(input_ids=ids_BL.masked_fill(open_BL, MASK)).logits.double()
    expected = logits_BLV[..., : words or MASK].softmax(-1)
    torch.testing.assert_close(p_BLV[..., : words or MASK][open_BL], expected[open_BL])


def test_texts_hold_no_mask_repeat_by_seed_and_count_their_forwards(model: Any, tokenizer: Any) -> None:
    rows = sampled_texts(model, tokenizer, 11, 10, 1000, seed=3, batch=4)
    assert len(rows) == 11
    assert all(len(row["ids"]) == 10 and max(row["ids"]) < MASK for row in rows)
    assert all(7 <= row["nfe"] <= 10 for row in rows), "places are decided nearly one by one"
    assert all(row["nfe"] == 1 for row in sampled_texts(model, tokenizer, 2, 10, 1))
    assert rows == sampled_texts(model, tokenizer, 11, 10, 1000, seed=3, batch=4)
    assert rows != sampled_texts(model, tokenizer, 11, 10, 1000, seed=4, batch=4)
    assert rows[0]["text"].split() == [tokenizer.convert_ids_to_tokens(one) for one in rows[0]["ids"]]


def test_the_command_writes_texts_of_the_model_s_length(model: Any, tokenizer: Any, tmp_path: Path) -> None:
    save_checkpoint(model, tokenizer, tmp_path / "m")
    words = ["text", "sample", str(tmp_path / "m"), "--count", "3", "--steps", "5"]
    assert main([*words, "--out", str(tmp_path / "s.jsonl")]) == 0
    rows = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert rows == sampled_texts(model, tokenizer, 3, 10, 5)
