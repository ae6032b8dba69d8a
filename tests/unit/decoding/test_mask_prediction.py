"""mask_prediction is token-identical to the published algorithms."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from fakes.official import Official, llada2_generate, llada_generate
from xpflow.decoding import decode, settings_from

N = 16


def ours(model, prompts, **values):
    settings = settings_from("mask_prediction", {"gen_length": N, "confidence_dtype": "native", **values})
    return decode(model, prompts, settings)


@pytest.mark.parametrize("budget", ["1/1", "1/2", "1/4", "1/8"])
@pytest.mark.parametrize("block", [16, 8])
@pytest.mark.parametrize("eos", ["none", "logits", "confidence"])
def test_same_tokens_as_official_llada(make_model, prompts, budget, block, eos):
    model = make_model(seed=5)
    flags = {"logits_eos_inf": eos == "logits"}
    result = ours(
        model,
        prompts,
        budget=budget,
        block_length=block,
        confidence_eos_eot_inf="official" if eos == "confidence" else "off",
        **flags,
    )
    steps = int(N * Fraction(budget))
    options = Official(steps, N, block, confidence_eos_eot_inf=eos == "confidence", stable_ties=True, **flags)
    assert result.tokens.tolist() == [llada_generate(model, prompt, options) for prompt in prompts]
    assert result.nfe.tolist() == [steps] * len(prompts)


def test_uneven_quotas_give_the_first_steps_one_more(make_model, prompts):
    model = make_model(seed=5)
    result = ours(model, prompts, budget="3/16")
    options = Official(3, N, N, stable_ties=True)
    assert result.tokens.tolist() == [llada_generate(model, prompt, options) for prompt in prompts]


def test_torch_topk_ties_are_repeated_at_batch_one(make_model, prompts):
    """With bf16 confidences nearly everything ties: only upstream's own order gives upstream's tokens."""
    model = make_model(seed=2, scale=10).float().to(torch.bfloat16)
    options = Official(4, N, N)
    official = [llada_generate(model, prompt, options) for prompt in prompts]
    same = ours(model, prompts, budget="1/4", tie_break="torch_topk", batch_size=1)
    other = ours(model, prompts, budget="1/4", batch_size=1)
    assert same.tokens.tolist() == official
    assert other.tokens.tolist() != official


@pytest.mark.parametrize("remasking", ["low_confidence", "random"])
@pytest.mark.parametrize("temperature", [0.0, 0.7])
@pytest.mark.parametrize("eos", [False, True])
def test_upstream_random_stream(make_model, prompts, remasking, temperature, eos):
    model = make_model(seed=2)
    settings = {
        "temperature": temperature,
        "remasking": remasking,
        "noise_scope": "canvas",
        "confidence_eos_eot_inf": "official" if eos else "off",
        "gen_length": N,
        "budget": "1/2",
        "block_length": 8,
    }
    result = decode(model, prompts, settings_from("mask_prediction", settings), seeds=range(len(prompts)))
    for row, prompt in enumerate(prompts):
        options = Official(8, N, 8, temperature, remasking, False, eos, seed=row, stable_ties=True)
        assert result.tokens[row].tolist() == llada_generate(model, prompt, options)


def test_corrected_eos_confidence_differs_from_the_bug_at_positive_temperature(make_model, prompts):
    model = make_model(seed=2)
    common = {"temperature": 1.0, "logits_eos_inf": False, "budget": "1/2"}
    with torch.no_grad():
        model.head.bias[1] += 0.8
    bug = ours(model, prompts, confidence_eos_eot_inf="official", **common)
    fixed = ours(model, prompts, confidence_eos_eot_inf="corrected", **common)
    cold = [ours(model, prompts, confidence_eos_eot_inf=v, budget="1/2") for v in ("official", "corrected")]
    assert (cold[0].tokens == cold[1].tokens).all()
    assert (bug.tokens != fixed.tokens).any()


def test_eos_is_never_produced_with_logits_eos_inf(make_model, prompts):
    model = make_model(seed=4)
    with torch.no_grad():
        model.head.bias[1] += 0.5
    assert (ours(model, prompts).tokens == 1).any()
    assert not (ours(model, prompts, logits_eos_inf=True).tokens == 1).any()


@pytest.mark.parametrize("budget", ["1/1", "1/2", "1/4", "1/8"])
@pytest.mark.parametrize("seed", [0, 3])
def test_same_tokens_and_forwards_as_official_llada2(make_model, prompts, budget, seed):
    model = make_model(block_length=8, seed=seed)
    result = ours(model, prompts, budget=budget)
    steps = int(8 * Fraction(budget))
    for row, prompt in enumerate(prompts):
        tokens, forwards = llada2_generate(model, prompt, N, steps, threshold=1.0, stable=True)
        assert result.tokens[row].tolist() == tokens + [1] * (N - len(tokens))
        assert int(result.nfe[row]) == forwards


@pytest.mark.parametrize("block", [8, 16])
def test_a_predicted_mask_id_stays_open_as_upstream(make_model, prompts, block):
    model = make_model(seed=6)
    with torch.no_grad():
        model.head.bias[36] = 1.5
    options = Official(8, N, block, stable_ties=True)
    official = [llada_generate(model, prompt, options) for prompt in prompts]
    assert any(36 in row for row in official)
    assert ours(model, prompts, budget="1/2", block_length=block).tokens.tolist() == official
    assert not (ours(model, prompts, budget="1/2", suppress="mask").tokens == 36).any()
