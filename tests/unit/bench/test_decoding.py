"""The bench compares like with like: the plain loop is the official algorithm, batched or not."""

from __future__ import annotations

import pytest
import torch

from fakes.models import FakeModel
from fakes.official import Official, llada2_generate, llada_generate
from xpflow.bench.decoding import (
    best_of,
    compare_with_cache,
    compare_with_official,
    every_decoder,
    policy_overhead,
    takes_cache,
)
from xpflow.bench.official import official_block_loop, official_loop
from xpflow.decoding import settings_from
from xpflow.decoding.decoders import DECODERS
from xpflow.models.untrained import SpecialIds, micro_config, new_model

PROMPTS = [[5, 6, 7], [8, 9, 10], [11, 12, 13]]


def test_the_plain_loop_is_the_official_algorithm():
    model = FakeModel(seed=5).double()
    tokens = official_loop(model, PROMPTS, gen_length=8, steps=4, block_length=4)
    assert tokens.tolist() == [llada_generate(model, prompt, Official(4, 8, 4)) for prompt in PROMPTS]


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_the_plain_block_loop_is_the_official_algorithm(prompt, steps):
    model = FakeModel(seed=5, block_length=4).double()
    expected, _ = llada2_generate(model, prompt, 8, steps, threshold=1.0)
    found = official_block_loop(model, prompt, 8, steps, torch.float64)[0].tolist()
    assert found == expected + [model.config.eos_token_id] * (8 - len(expected))


def test_measurements_have_seconds_forwards_and_identity():
    model = FakeModel(seed=5).double()
    slow, fast = compare_with_official(model, PROMPTS, 8, 2, repeats=1)
    assert (slow.nfe, fast.nfe) == (24, 24)
    assert "3 of 3 rows token-identical" in fast.note
    for measurement in (
        *policy_overhead(model, PROMPTS, 8, 2, repeats=1),
        *every_decoder(model, PROMPTS, 8, 2, repeats=1),
    ):
        assert measurement.seconds > 0
        assert measurement.note.endswith("% beyond the forwards")
        name = measurement.name.split()[0]
        looks = getattr(settings_from(name, {}), "post_steps", 0)  # after the budget
        most = 5 if DECODERS[name].nfe == "own" else 2 + looks
        assert measurement.nfe <= most * len(PROMPTS)


def test_the_cache_is_compared_with_no_cache():
    model = new_model(micro_config("llada2-micro", 61, SpecialIds(4, 1, 0)), 0).double().eval()
    values = {"gen_length": 16, "budget": "1/4", "batch_size": 2}
    found = compare_with_cache(model, PROMPTS, settings_from("mask_prediction", values), repeats=1)
    assert "3 of 3 rows token-identical" in found.note


def test_best_of_takes_turns_and_drops_the_first_run():
    calls = []
    best_of([lambda: calls.append("a"), lambda: calls.append("b")], 2)
    assert "".join(calls) == "ababab"


def test_every_decoder_that_takes_a_cache_is_compared_and_one_with_a_shadow_takes_none():
    model = new_model(micro_config("llada2-micro", 61, SpecialIds(4, 1, 0)), 0).double().eval()
    model.newline_token_ids = (5,)  # as of a tokenizer
    values = {"gen_length": 16, "budget": "1/4", "batch_size": 2}
    chosen = [settings_from(name, values) for name in DECODERS]
    assert [one.decoder for one in chosen if not takes_cache(one)] == ["wino"]
    for settings in filter(takes_cache, chosen):
        found = compare_with_cache(model, PROMPTS[:2], settings, repeats=1)
        assert found.note.startswith("2 of 2 rows token-identical"), found.name
