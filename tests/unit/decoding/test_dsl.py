"""The decoder dsl: forwards, grids, the converter that it takes, and what it shows a model."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from fakes.decoding import OwnModules
from fakes.models import FakeModel
from xpflow.continuous.converter import Converter
from xpflow.continuous.heun import ahead, corrected
from xpflow.continuous.snr import snr_grid
from xpflow.decoding import decode, settings_from
from xpflow.decoding.canvas import model_facts
from xpflow.decoding.decoders.dsl import converter_of
from xpflow.errors import DecodingError

N = 32


def settings(**values):
    return settings_from("dsl", {"gen_length": N, "width": 8, **values})


@pytest.mark.parametrize(
    ("values", "nfe"),
    [
        ({"budget": "1/16"}, 5),
        ({"budget": "1/8"}, 5),
        ({"budget": "1/4"}, 9),
        ({"budget": "1/2"}, 17),
        ({"budget": "1/1"}, 33),
        ({"steps_per_block": 1}, 3),
        ({"budget": "1/4", "block_length": 8}, 20),
    ],
)
@pytest.mark.parametrize("sampler", ["sde", "ode"])
def test_true_forwards_are_counted(make_model, prompts, values, nfe, sampler):
    model = make_model()
    result = decode(model, prompts[:3], settings(sampler=sampler, **values))
    assert result.nfe.tolist() == [nfe] * 3
    assert model.forwards == nfe


def test_one_decode_by_hand(make_model):
    """The ODE on one prompt: a random direction, Heun's steps, the argmax of the last forward."""
    model, prompt, length = make_model(seed=2), [5, 6, 7], 8
    values = {"gen_length": length, "sampler": "ode", "budget": "1/1", "width": 8, "top_share": 1}
    chosen = settings_from("dsl", values)
    found = decode(model, [prompt], chosen, seeds=[11]).tokens[0]
    converter = converter_of(model, model_facts(model), "fresh", 8).double()
    y = torch.randn(length, 8, generator=torch.Generator().manual_seed(11)).double()
    y = y / y.norm(dim=-1, keepdim=True)

    def logits_at(z):
        clean = model.embed(torch.tensor(prompt))
        logits = model(inputs_embeds=torch.cat((clean, converter(z, 2.0)))[None]).logits[0, 3:]
        logits[:, 36] = -torch.inf
        return logits

    def code_at(y, s):
        return logits_at(s * y).softmax(-1) @ converter.codes

    with torch.no_grad():
        grid = [torch.tensor(s).double() for s in snr_grid(4, float(converter.snr_max))]
        for s, s_next in pairwise(grid):
            x, none = code_at(y, s), torch.zeros(())
            guess = ahead(y, x, s, s_next, none)
            y = corrected(y, x, guess, code_at(guess, s_next), s, s_next, none)
        assert found.tolist() == logits_at(grid[-1] * y).argmax(-1).tolist()


def test_noise_is_drawn_by_the_sde_alone_and_the_start_by_both(make_model, prompts):
    model = make_model()

    def found(seed, **values):
        return decode(model, prompts[:1], settings(budget="1/4", **values), seeds=[seed]).tokens.tolist()

    assert found(1, sampler="ode") == found(1, noise_scale=0.0)
    assert found(1, sampler="ode") != found(2, sampler="ode")
    assert found(1, noise_scale=1.0) != found(1, noise_scale=0.0)
    assert found(1) == found(1, noise_scale=0.1)  # four steps: the published scale


def test_a_model_with_a_converter_gives_its_own_and_others_a_fresh_one(make_model):
    model = make_model()
    facts = model_facts(model)
    fresh = converter_of(model, facts, "auto", 8)
    assert torch.equal(fresh.weight[:-1], model.embed.weight.float())
    with pytest.raises(DecodingError, match="bring no 'converter'") as caught:
        converter_of(model, facts, "own")
    assert "objective dsl" in caught.value.hint
    model.objective_file = OwnModules(model)
    own = Converter.of_state(model.objective_file.state("converter"))
    for which in ("auto", "own"):
        assert torch.equal(converter_of(model, facts, which, 16).codes, own.codes)
    again = converter_of(model, facts, "fresh", 8)
    assert torch.equal(again.codes, fresh.codes)
    assert not torch.equal(again.codes, own.codes)


def test_a_converter_of_another_model_is_refused(make_model):
    model, other = make_model(), FakeModel(vocab=40)
    model.objective_file = OwnModules(other)
    with pytest.raises(DecodingError, match=r"\(41, 24\) numbers for embeddings of \(37, 24\)"):
        decode(model, [[5]], settings())
    model.objective_file.states["converter"] = {"codes": torch.zeros(3, 2)}
    with pytest.raises(DecodingError, match="no 'converter' of the objective dsl") as caught:
        decode(model, [[5]], settings())
    assert "'ours'" in caught.value.hint


def test_learned_scalars_are_read_by_soft_tokens(make_model, prompts):
    """Scale 0 is plain masks; scale 1/2 at the published start is the entropy weighting with weight 1/2."""
    model = make_model()
    soft = {"gen_length": 16, "geometry": "linear", "rule": "quota", "budget": "1/2"}

    def found(**values):
        return decode(model, prompts, settings_from("soft_tokens", {**soft, **values})).tokens.tolist()

    with pytest.raises(DecodingError, match="bring no 'soft_mask'"):
        found(weighting="learned")
    model.objective_file = OwnModules(model)
    fixed = found(weighting="entropy", weight=0.5)
    assert found(weighting="learned") == fixed
    model.objective_file.states["soft_mask"]["logit"] = torch.tensor([-torch.inf])
    plain = found(weight=0.0)
    assert found(weighting="learned") == plain
    assert plain != fixed
