"""threshold: identical to Fast-dLLM and to LLaDA2's own decoder, and capped by the budget."""

from __future__ import annotations

import pytest

from fakes.official import fast_dllm_generate, llada2_generate
from xpflow.decoding import decode, settings_from

N = 16


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("block", [8, 16])
def test_same_tokens_and_forwards_as_fast_dllm(make_model, prompts, threshold, block):
    model = make_model(seed=5, scale=3)
    values = {
        "gen_length": N,
        "block_length": block,
        "threshold": threshold,
        "at_cap": "continue",
        "budget": "1/8",
    }
    result = decode(model, prompts, settings_from("threshold", values))
    for row, prompt in enumerate(prompts):
        expected = fast_dllm_generate(model, prompt, N, block, threshold).tolist()
        assert [*result.tokens[row].tolist(), int(result.nfe[row])] == expected


@pytest.mark.parametrize("threshold", [0.3, 0.95])
@pytest.mark.parametrize("steps", [8, 4, 3])
def test_same_tokens_and_forwards_as_llada2(make_model, prompts, threshold, steps):
    model = make_model(block_length=8, seed=7, scale=3)
    values = {"gen_length": N, "budget": f"{steps}/8", "threshold": threshold, "minimum": "quota"}
    result = decode(model, prompts, settings_from("threshold", values))
    for row, prompt in enumerate(prompts):
        tokens, forwards = llada2_generate(model, prompt, N, steps, threshold, stable=True)
        assert result.tokens[row].tolist() == tokens + [1] * (N - len(tokens))
        assert int(result.nfe[row]) == forwards


def test_nothing_is_left_masked_when_the_budget_ends(make_model, prompts):
    model = make_model(scale=1)
    settings = settings_from("threshold", {"gen_length": N, "budget": "1/4", "threshold": 1.0})
    result = decode(model, prompts, settings)
    assert not (result.tokens == model.config.mask_token_id).any()
    assert result.nfe.tolist() == [4] * len(prompts)


def test_finished_rows_cost_no_forward(make_model, prompts):
    model = make_model(scale=3)
    settings = settings_from("threshold", {"gen_length": N, "threshold": 0.5})
    result = decode(model, prompts, settings)
    assert model.rows == int(result.nfe.sum()) < N * len(prompts)
