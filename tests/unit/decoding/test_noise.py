"""Noise: one mask, many masks and a Gaussian start are values that every decoder takes as it finds them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from fakes.decoding import EVERY, case_id, every_case
from fakes.models import FakeModel
from xpflow.decoding import ConstantPolicy, decode, settings_from
from xpflow.decoding.decoders import DECODERS
from xpflow.errors import DecodingError
from xpflow.noise import NO_TOKEN, Gaussian, ManyMasks, OneMask, RowRandom, noise_of
from xpflow.traces.replay import check

N, MASKS = 16, [34, 35, 36]
CPU = torch.device("cpu")


@pytest.fixture
def prompts() -> list[list[int]]:
    """Return prompts without a mask of any kind."""
    generator = torch.Generator().manual_seed(3)
    return [torch.randint(3, 34, (n,), generator=generator).tolist() for n in [5, 9, 9, 12, 16, 3]]


def with_three_masks(make_model, **options) -> FakeModel:
    model = make_model(**options)
    model.config.mask_token_ids = MASKS
    return model


def with_gaussian_noise(make_model, **options) -> FakeModel:
    model = make_model(**options)
    model.config.noise = "gaussian"
    return model


@pytest.mark.parametrize(
    ("config", "noise"),
    [
        ({"mask_token_id": 7}, OneMask(7)),
        ({"mask_token_id": 7, "mask_token_ids": [7, 9]}, ManyMasks((7, 9))),
        ({"mask_token_id": 7, "noise": "gaussian"}, Gaussian(1.0)),
        ({"noise": "gaussian", "noise_scale": 0.5}, Gaussian(0.5)),
        ({"mask_token_id": 7, "noise": "mask"}, OneMask(7)),
    ],
)
def test_a_config_names_its_noise(config, noise):
    assert noise_of(SimpleNamespace(**config)) == noise


@pytest.mark.parametrize("config", [{}, {"mask_token_id": None}, {"noise": "pink", "mask_token_id": 3}])
def test_a_config_without_known_noise_is_refused(config):
    with pytest.raises(DecodingError) as caught:
        noise_of(SimpleNamespace(**config))
    assert caught.value.hint


@pytest.mark.parametrize("noise", [OneMask(7), ManyMasks((7, 9)), Gaussian()])
def test_what_noise_starts_with_is_open_and_nothing_else_is(noise):
    start = noise.start(RowRandom([3], CPU), 0, 50)
    assert noise.is_open(start).all()
    assert not noise.is_open(torch.tensor([0, 1, 8])).any()
    assert set(start.tolist()) == (set(noise.ids) or {NO_TOKEN})


def test_a_row_s_noise_depends_on_its_own_seed_alone():
    one, two = RowRandom([5], CPU), RowRandom([1, 5], CPU)
    two.uniform(0, (4,), torch.float32)
    assert torch.equal(ManyMasks((7, 8, 9)).start(one, 0, 30), ManyMasks((7, 8, 9)).start(two, 1, 30))
    assert torch.equal(
        Gaussian().embeddings(RowRandom([5], CPU), 0, (3, 4)),
        Gaussian(2.0).embeddings(RowRandom([5], CPU), 0, (3, 4)) / 2,
    )


@every_case
@pytest.mark.parametrize("block_length", [0, 8])
def test_every_decoder_decodes_a_model_with_three_masks(make_model, prompts, name, values, block_length):
    model = with_three_masks(make_model, seed=2, block_length=block_length)
    chosen = settings_from(name, {"gen_length": N, "budget": "1/2", "suppress": "mask", **values})
    whole = decode(model, prompts, chosen, seeds=range(len(prompts)), trace=True)
    assert not torch.isin(whole.tokens, torch.tensor(MASKS)).any()
    assert {token for trace in whole.trace for token in trace.head["start"]} == set(MASKS)
    for trace in whole.trace:
        check(trace)
    alone = [decode(model, [prompt], chosen, seeds=[row]) for row, prompt in enumerate(prompts)]
    assert whole.tokens.tolist() == [result.tokens[0].tolist() for result in alone]


def test_the_draw_of_masks_decides_tokens(make_model, prompts):
    model, chosen = with_three_masks(make_model, seed=2), settings_from("mask_prediction", {"gen_length": N})
    one, two = (decode(model, prompts, chosen, seeds=[seed] * len(prompts)) for seed in (0, 1))
    assert one.tokens.tolist() != two.tokens.tolist()


def test_prompts_with_any_of_the_masks_are_refused(make_model):
    for mask in MASKS:
        with pytest.raises(DecodingError, match=f"mask id {mask}"):
            decode(with_three_masks(make_model), [[3, mask]], settings_from("flow", {"gen_length": N}))


OVER_EMBEDDINGS = [name for name in EVERY if DECODERS[name].make.continuous]
OVER_TOKENS = [name for name in EVERY if name not in OVER_EMBEDDINGS]


@pytest.mark.parametrize("name", OVER_EMBEDDINGS, ids=case_id)
@pytest.mark.parametrize(("block_length", "blocks"), [(0, 16), (0, 8), (8, 8)])
def test_a_gaussian_start_is_decoded_over_embeddings(make_model, prompts, name, block_length, blocks):
    model = with_gaussian_noise(make_model, seed=2, block_length=block_length)
    chosen = settings_from(name, {"gen_length": N, "budget": "1/2", "block_length": blocks})
    whole = decode(model, prompts, chosen, seeds=range(len(prompts)), trace=True)
    assert (whole.tokens >= 0).all()
    for row, trace in enumerate(whole.trace):
        check(trace)
        assert set(trace.head["start"]) == {NO_TOKEN}
        alone = decode(model, [prompts[row]], chosen, seeds=[row])
        assert whole.tokens[row].tolist() == alone.tokens[0].tolist()


@pytest.mark.parametrize("name", OVER_TOKENS, ids=case_id)
def test_a_gaussian_start_is_refused_over_tokens(make_model, prompts, name):
    with pytest.raises(DecodingError, match="Gaussian"):
        decode(with_gaussian_noise(make_model), prompts, settings_from(name, {"gen_length": N}))


@torch.no_grad()
def test_the_first_forward_sees_the_gaussian_draw_of_the_row(make_model):
    shown = []

    class Watched(FakeModel):
        def forward(self, inputs_embeds=None, **rest):
            shown.append(inputs_embeds)
            return super().forward(inputs_embeds=inputs_embeds, **rest)

    model = Watched(seed=2).double().eval()
    model.config.noise = "gaussian"
    settings = settings_from("flow", {"gen_length": N, "block_length": 8, "budget": "1/2"})
    decode(model, [[3, 4, 5]], settings, ConstantPolicy(0.0), seeds=[9])
    expected = Gaussian().embeddings(RowRandom([9], CPU), 0, (N, model.width))
    assert torch.allclose(shown[0][0, 3:], expected.double())
    assert torch.equal(shown[0][0, :3], model.embed(torch.tensor([3, 4, 5])))
