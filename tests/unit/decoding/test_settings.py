"""Settings: budgets, unknown keys, and combinations that cannot be decoded."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from fakes.decoding import OwnModules
from xpflow.decoding import ConstantPolicy, decode, decoder_entry, settings_from
from xpflow.decoding.decoders import DECODERS
from xpflow.errors import DecodingError


@pytest.mark.parametrize("text", ["1/4", "0.25", 0.25, Fraction(1, 4)])
def test_a_budget_is_an_exact_fraction(text):
    settings = settings_from("flow", {"gen_length": 32, "budget": text})
    assert settings.budget == Fraction(1, 4)
    assert settings.steps == 8
    assert '"budget":"1/4"' in settings.model_dump_json()


def test_values_may_be_strings_as_on_a_command_line():
    settings = settings_from("flow", {"gen_length": "32", "commit": "false", "reedit_margin": "0.2"})
    assert (settings.gen_length, settings.commit, settings.reedit_margin) == (32, False, 0.2)


@pytest.mark.parametrize(
    ("decoder", "values", "message"),
    [
        ("flwo", {}, "did you mean 'flow'"),
        ("flow", {"reedits": "false"}, "did you mean 'reedit'"),
        ("flow", {"budget": "3/2"}, "at most 1"),
        ("flow", {"budget": "a"}, "such as 1/4"),
        ("threshold", {"threshold": 2}, "threshold"),
        ("mask_prediction", {"tie_break": "random"}, "tie_break"),
        ("threshold", {"temperature": 1e300}, "temperature"),
        ("ancestral", {"temperature": 1e300}, "temperature"),
        ("ancestral", {"remask": "loop", "loop_on": 0.1, "loop_off": 0.5}, "loop_on .0.1. must be above"),
        ("credit", {"alpha": 1e300}, "alpha"),
        ("path_planning", {"eta": 1e300}, "eta"),
        ("token_to_mask", {"bound": 7}, "bound"),
        ("dmax", {"stop": 3}, "stop"),
        ("remix", {"ceiling": 5}, "ceiling"),
        ("remix", {"ceiling_low": 0.9}, "ceiling_low .0.9. must not be above ceiling_high"),
    ],
)
def test_a_bad_setting_names_the_key_and_helps(decoder, values, message):
    with pytest.raises(DecodingError, match=message) as caught:
        settings_from(decoder, values)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("block_length", "values", "message"),
    [
        (0, {"gen_length": 30, "budget": "1/4"}, "7.5 steps"),
        (0, {"gen_length": 32, "block_length": 5}, "not a multiple"),
        (0, {"gen_length": 32, "block_length": 4, "budget": "1/16"}, "shared by 8 blocks"),
        (8, {"gen_length": 32, "block_length": 16}, "blocks of 8"),
        (8, {"gen_length": 32, "budget": "1/16"}, "a block of 8"),
    ],
)
def test_lengths_and_budget_must_fit_the_model(make_model, block_length, values, message):
    model = make_model(block_length=block_length)
    with pytest.raises(DecodingError, match=message) as caught:
        decode(model, [[3, 4]], settings_from("mask_prediction", values))
    assert caught.value.hint


def test_prompts_and_policies_are_checked(make_model):
    model, settings = make_model(), settings_from("mask_prediction", {"gen_length": 8})
    with pytest.raises(DecodingError, match="empty"):
        decode(model, [[3], []], settings)
    with pytest.raises(DecodingError, match="mask id"):
        decode(model, [[3, 36]], settings)
    with pytest.raises(DecodingError, match="takes no policy"):
        decode(model, [[3]], settings, ConstantPolicy(0.1))
    with pytest.raises(DecodingError, match="2 seeds"):
        decode(model, [[3]], settings, seeds=[1, 2])


def test_no_prompts_give_no_rows(make_model):
    result = decode(make_model(), [], settings_from("flow", {"gen_length": 8}))
    assert result.tokens.shape == (0, 8)
    assert result.nfe.shape == (0,)


IDLE = [
    ("soft_tokens", {"rule": "quota"}, {"threshold": 0.2, "strict": True, "gamma": 3.0}),
    ("soft_tokens", {}, {"slope": 0.1, "center": 2.0, "gamma": 3.0}),
    (
        "soft_tokens",
        {"weight": 0.0},
        {"top": 1, "geometry": "linear", "weighting": "entropy", "state": "persistent"},
    ),
    ("soft_tokens", {"weighting": "learned"}, {"weight": 0.9}),
    ("composed", {"weighting": "learned"}, {"weight": 0.9}),
    ("dsl", {"sampler": "ode"}, {"noise_scale": 0.3}),
    ("dsl", {"converter": "own"}, {"width": 16}),
    ("ancestral", {"temperature": 0.0}, {"top_p": 0.1}),
    ("ancestral", {}, {"eta": 0.9, "loop_on": 0.9, "loop_off": 0.5, "loop_alpha": 0.2}),
    ("path_planning", {"eta": 0.0}, {"signal": "top1"}),
    ("credit", {"alpha": 0.0}, {"beta": 0.1, "exponent": 2.0}),
    ("remix", {"beta": 0.0}, {"reject": 0.0}),
    ("latent_refinement", {}, {"over": "masks"}),
    ("flow", {}, {"soft_top": 2}),
    ("flow", {"commit": False}, {"commits_per_step": 3}),
    ("flow", {"reedit": False}, {"reedit_margin": 0.0, "reedit_t": "before", "reedit_committed": False}),
    ("flow", {"reedit": False}, {"update_order": "reedit_first"}),
    ("composed", {"rule": "quota"}, {"threshold": 0.2, "strict": True, "gamma": 3.0, "arrival": 0.1}),
    ("composed", {"rule": "quota"}, {"expectation": "B", "rho": "global", "policy": "constant:1"}),
    ("composed", {}, {"slope": 0.1, "center": 2.0, "edit_threshold": 0.0, "reedit_margin": 0.5}),
    ("composed", {}, {"trigger": "t2t", "bound": 0.0, "share": 1.0, "per_position": 1, "post_steps": 1}),
    (
        "composed",
        {"weight": 0.0},
        {"top": 1, "geometry": "linear", "weighting": "entropy", "state": "persistent"},
    ),
    ("composed_flow", {}, {"soft_top": 2, "threshold": 0.1, "edit_threshold": 0.0}),
    ("composed_flow", {}, {"trigger": "t2t", "bound": 0.0, "share": 1.0, "per_position": 1}),
    ("composed_flow", {"rule": "quota"}, {"commits_per_step": 3}),
    (
        "composed_flow",
        {"revision": "keep"},
        {
            "reedit_margin": 0.0,
            "reedit_t": "before",
            "reedit_committed": False,
            "update_order": "reedit_first",
        },
    ),
    ("mask_prediction", {}, {"noise_scope": "canvas"}),
]


@pytest.mark.parametrize(("decoder", "others", "chosen"), IDLE, ids=str)
def test_a_setting_that_others_leave_without_effect_has_none_and_is_refused(
    decoder, others, chosen, make_model, prompts
):
    plain, given = (settings_from(decoder, {"gen_length": 8, **others, **more}) for more in ({}, chosen))
    model = make_model()
    model.objective_file = OwnModules(model)
    found = [decode(model, prompts[:2], settings, seeds=[5, 6]).tokens for settings in (plain, given)]
    assert torch.equal(*found)
    entry = decoder_entry(decoder)
    entry.require_used(plain, others)
    for name in chosen:
        with pytest.raises(DecodingError, match=f"setting '{name}' does nothing here: it needs"):
            entry.require_used(given, [name])


def test_every_setting_that_may_do_nothing_is_tried():
    said = {(decoder, name) for decoder in DECODERS for name in decoder_entry(decoder).only_with}
    assert said == {(decoder, name) for decoder, _, chosen in IDLE for name in chosen} - {
        ("mask_prediction", "noise_scope")
    }
