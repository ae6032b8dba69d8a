"""Half a character in a problem takes no other problem with it: every tokenizer is asked in whole ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xpflow.artifacts.io import whole_text
from xpflow.models.load import named_tokenizer
from xpflow.models.tokenizer import encode_prompt
from xpflow.problems.shapes import SHAPES
from xpflow.protocols.find import find_protocol
from xpflow.protocols.prompter import Prompter
from xpflow.training.examples import response_ids

HIGH, LOW = "\ud83d", "\ude00"


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (f"a {HIGH} b", "a \ufffd b"),
        (f"{LOW}a", "\ufffda"),
        (f"a{HIGH}", "a\ufffd"),
        (f"{LOW}{HIGH}", "\ufffd\ufffd"),
        ("naïve − 今日 😀", "naïve − 今日 😀"),
        ("plain", "plain"),
    ],
)
def test_halves_are_replaced_and_nothing_else(text: str, whole: str) -> None:
    assert whole_text(text) == whole


def test_prompts_and_answers_with_half_a_character_are_read() -> None:
    tokenizer = named_tokenizer("llada-micro")
    assert encode_prompt(tokenizer, f"a {HIGH} b") == encode_prompt(tokenizer, "a \ufffd b")
    assert response_ids(tokenizer, f"x{LOW}", 16) == response_ids(tokenizer, "x\ufffd", 16)
    problem = SHAPES["summary"].example
    prompter = Prompter(find_protocol(), tokenizer)
    half, plain = (replace(problem, prompt=f"Monday: {one} 3") for one in (HIGH, "\ufffd"))
    assert prompter.encode(half) == prompter.encode(plain)
