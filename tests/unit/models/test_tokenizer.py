"""The micro tokenizers: exact round trips, the open assistant turn, and which answers fit a response."""

from __future__ import annotations

from itertools import islice

import pytest
from transformers import PreTrainedTokenizerBase

from xpflow.models.architecture import TokenizerKind
from xpflow.models.architectures import ARCHITECTURES
from xpflow.models.tokenizer import decode_response, encode_prompt, train_tokenizer
from xpflow.problems.micropy.dataset import training_pairs
from xpflow.training.corpus import response_ids

PAIRS = list(islice(training_pairs(3), 60))


@pytest.fixture(scope="module", params=list(ARCHITECTURES))
def kind(request: pytest.FixtureRequest) -> TokenizerKind:
    """The tokenizers of each architecture in turn."""
    return ARCHITECTURES[request.param].tokenizer


@pytest.fixture(scope="module")
def tokenizer(kind: TokenizerKind) -> PreTrainedTokenizerBase:
    return train_tokenizer(kind, [text for pair in PAIRS[:40] for text in pair], 400)


@pytest.mark.parametrize("text", ["", "é ∑ \t\x00 日本\r\n", "    return  x\n\n\n  y ", *PAIRS[50]])
def test_any_text_survives_the_round_trip(tokenizer: PreTrainedTokenizerBase, text: str) -> None:
    assert decode_response(tokenizer, tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_training_is_deterministic_and_special_tokens_are_single_and_skipped(
    tokenizer: PreTrainedTokenizerBase, kind: TokenizerKind
) -> None:
    again = train_tokenizer(kind, [text for pair in PAIRS[:40] for text in pair], 400)
    assert again.get_vocab() == tokenizer.get_vocab()
    assert len(tokenizer) <= 400
    for token in kind.special.values():
        ids = tokenizer(f"a{token}b", add_special_tokens=False)["input_ids"]
        assert tokenizer.convert_tokens_to_ids(token) in ids
        assert decode_response(tokenizer, ids) == "ab"


def test_a_prompt_ends_with_the_open_assistant_turn(
    tokenizer: PreTrainedTokenizerBase, kind: TokenizerKind
) -> None:
    question = PAIRS[0][0]
    text = tokenizer.decode(encode_prompt(tokenizer, question))
    assert text.count(question.strip()) == 1
    turn = text.rpartition(question.strip())[2].lower()
    assert ("assistant" in turn) == bool(kind.turns[1])  # a model that knows no turns just goes on
    assert kind.special["mask"] not in text


def test_a_response_is_the_answer_its_end_tokens_and_padding_or_does_not_fit(
    tokenizer: PreTrainedTokenizerBase, kind: TokenizerKind
) -> None:
    answer, eos = PAIRS[1][1], tokenizer.eos_token_id
    ids = list(tokenizer(answer, add_special_tokens=False)["input_ids"])
    end = [tokenizer.convert_tokens_to_ids("<|eot_id|>")] if "eot" in kind.special else []
    exact = [*ids, *end, eos]
    assert response_ids(tokenizer, answer, len(exact)) == tuple(exact)
    assert response_ids(tokenizer, answer, len(exact) + 3) == (*exact, eos, eos, eos)
    assert response_ids(tokenizer, answer, len(exact) - 1) is None
    assert decode_response(tokenizer, response_ids(tokenizer, answer, 128) or ()) == answer
