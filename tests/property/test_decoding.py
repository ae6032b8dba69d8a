"""Properties of every decoder, over random models, prompts and settings."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings, strategies
from torch import Tensor

from fakes.models import FakeModel
from xpflow.decoding import decode, settings_from
from xpflow.traces.replay import states

N, MASK = 16, 36
ids = strategies.integers(3, 35)
batches = strategies.lists(strategies.lists(ids, min_size=1, max_size=18), min_size=1, max_size=6)
budgets = strategies.sampled_from(["1/1", "1/2", "1/4", "1/8"])
seeds = strategies.integers(0, 5)
blocks = strategies.sampled_from([0, 8])
decoders = strategies.sampled_from(
    [
        ("mask_prediction", {}),
        ("mask_prediction", {"temperature": 0.8}),
        ("mask_prediction", {"remasking": "random"}),
        ("threshold", {"threshold": 0.5}),
        ("flow", {"policy": "confidence:2"}),
        ("flow", {"policy": "constant:0.4", "readout": "last_prediction"}),
        ("flow", {"policy": "confidence:1", "at_one": "move", "near_one": "snap"}),
    ]
)
few = settings(max_examples=12, deadline=None, derandomize=True)


def model_of(seed: int, block_length: int) -> FakeModel:
    return FakeModel(seed=seed, block_length=block_length).double().eval()


@given(batch=batches, decoder=decoders, budget=budgets, seed=seeds, block=blocks)
@few
def test_tokens_do_not_depend_on_batch_order_or_padding(batch, decoder, budget, seed, block):
    name, values = decoder
    model, chosen = model_of(seed, block), settings_from(name, {"gen_length": N, "budget": budget, **values})
    whole = decode(model, batch, chosen, seeds=range(len(batch)))
    turned = decode(model, batch[::-1], chosen, seeds=range(len(batch))[::-1])
    alone = [decode(model, [prompt], chosen, seeds=[row]) for row, prompt in enumerate(batch)]
    assert whole.tokens.tolist() == turned.tokens.tolist()[::-1]
    assert whole.nfe.tolist() == turned.nfe.tolist()[::-1]
    assert whole.tokens.tolist() == [result.tokens[0].tolist() for result in alone]
    assert whole.nfe.tolist() == [int(result.nfe[0]) for result in alone]


@given(batch=batches, decoder=decoders, budget=budgets, seed=seeds, block=blocks)
@few
def test_the_budget_is_respected_and_every_forward_is_counted(batch, decoder, budget, seed, block):
    name, values = decoder
    model, chosen = model_of(seed, block), settings_from(name, {"gen_length": N, "budget": budget, **values})
    result = decode(model, batch, chosen)
    assert model.rows == int(result.nfe.sum())
    for row, prompt in enumerate(batch):
        first = (block - len(prompt) % block) if block else N
        parts = [first, *[block] * -(-(N - first) // block)] if block else [N]
        assert 1 <= int(result.nfe[row]) <= sum(-(-part * chosen.steps // N) for part in parts)
    assert not (result.tokens == MASK).any()


class Watched(FakeModel):
    """A fake that keeps what it was shown."""

    def forward(self, input_ids: Tensor | None = None, inputs_embeds: Tensor | None = None, **rest: object):
        self.shown.append((self.embed(input_ids) if inputs_embeds is None else inputs_embeds).clone())
        return super().forward(input_ids=input_ids, inputs_embeds=inputs_embeds, **rest)


@given(prompt=strategies.lists(ids, min_size=1, max_size=18), decoder=decoders, seed=seeds, block=blocks)
@few
def test_the_prompt_is_never_changed(prompt, decoder, seed, block):
    name, values = decoder
    model = Watched(seed=seed, block_length=block).double().eval()
    model.shown = []
    decode(model, [prompt], settings_from(name, {"gen_length": N, "budget": "1/2", **values}))
    clean = model.embed(torch.tensor([prompt]))
    assert all(torch.equal(shown[:, : len(prompt)], clean) for shown in model.shown)


@given(
    prompt=strategies.lists(ids, min_size=1, max_size=18),
    policy=strategies.sampled_from(
        ["confidence:1", "confidence:4", "constant:0.1", "constant:0.9", "constant:1"]
    ),
    options=strategies.sampled_from(
        [{}, {"at_one": "move"}, {"near_one": "snap"}, {"update_order": "reedit_first"}]
    ),
    budget=budgets,
    seed=seeds,
)
@few
def test_state_is_a_mixture_of_tokens_and_mask_with_mass_t(prompt, policy, options, budget, seed):
    """x = sum A_v e_v + (1 - t) m with A >= 0 and sum A_v = t, at every step; t in [0, 1]."""
    model = Watched(seed=seed).double().eval()
    model.shown = []
    values = {"gen_length": N, "policy": policy, "budget": budget, **options}
    trace = decode(model, [prompt], settings_from("flow", values), trace=True).trace[0]
    assert (trace.t >= 0).all()
    assert (trace.t <= 1).all()
    for shown, state in zip(model.shown, states(trace), strict=False):
        assert all(weight >= 0 for mixture in state.mixture for weight in mixture.values())
        mass = [sum(mixture.values()) for mixture in state.mixture]
        assert mass == pytest.approx(state.t, abs=1e-5)
        x = state.embeddings(model.embed.weight, model.embed.weight[MASK])
        assert torch.allclose(x, shown[0, len(prompt) :], atol=1e-5)
