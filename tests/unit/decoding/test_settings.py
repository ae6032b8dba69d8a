"""Settings: budgets, unknown keys, and combinations that cannot be decoded."""

from __future__ import annotations

from fractions import Fraction

import pytest

from xpflow.decoding import ConstantPolicy, decode, settings_from
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
