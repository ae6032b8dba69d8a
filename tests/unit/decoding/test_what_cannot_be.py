"""What a decode cannot use is an error that says where: ids, prompts, logits, settings, step sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from fakes.decoding import EVERY, case_id, every_decoder
from fakes.models import FakeModel
from xpflow.decoding import decode, settings_from
from xpflow.decoding.decoders import DECODERS
from xpflow.decoding.policies.learned import LearnedPolicy
from xpflow.decoding.policies.load import load_policy
from xpflow.errors import ArtifactError, DecodingError
from xpflow.noise import OneMask

LENGTH = 8
WITH_POLICY = [name for name in EVERY if DECODERS[name].takes_policy]


def settings(decoder: str = EVERY[0], **values: Any) -> Any:
    return settings_from(decoder, {"gen_length": LENGTH, **values})


class Broken(FakeModel):
    """A model with one bad logit: for one row, at one position, from some forward on."""

    def __init__(self, value: float, row: int, position: int, forward: int) -> None:
        super().__init__()
        self.bad = (value, row, position, forward)

    def forward(self, *args: Any, **inputs: Any) -> Any:
        output = super().forward(*args, **inputs)
        value, row, position, forward = self.bad
        if self.forwards >= forward:
            where_BK = inputs["logits_positions_BN"] == position
            where_BK[torch.arange(len(where_BK)) != row] = False
            output.logits[..., 5] = output.logits[..., 5].masked_fill(where_BK, value)
        return output


@every_decoder
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_logit_that_is_not_finite_is_an_error_where_it_first_appears(name: str, value: float) -> None:
    model = Broken(value, row=1, position=3 + 4, forward=1)
    with pytest.raises(DecodingError, match=r"row 1, step 1 of block 1: .* position 4 are not finite"):
        decode(model, [[3, 4, 5], [6, 7, 8]], settings(name))


def test_the_step_is_the_one_in_which_it_appears() -> None:
    model = Broken(float("nan"), row=0, position=2 + LENGTH - 1, forward=3)
    with pytest.raises(DecodingError, match=r"row 0, step 3 of block 1"):
        decode(model, [[3, 4]], settings(WITH_POLICY[0], policy="constant:0.1", commit=False))


@every_decoder
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_weight_that_is_not_finite_is_no_answer(name: str, bad: float) -> None:
    model = FakeModel()
    with torch.no_grad():
        model.head.weight[7] = bad
    with pytest.raises(DecodingError, match="not finite"):
        decode(model, [[3, 4, 5]], settings(name))


@every_decoder
@pytest.mark.parametrize("scale", [0, 1], ids=["no head", "equal rows"])
def test_a_model_that_prefers_no_token_gives_no_answer(name: str, scale: int) -> None:
    model = FakeModel()
    with torch.no_grad():
        model.head.weight.copy_(scale * model.head.weight[:1].expand_as(model.head.weight))
        model.head.bias.zero_()
    with pytest.raises(DecodingError, match=r"row 0, step 1 of block 1: .* all tokens the same logit"):
        decode(model, [[3, 4, 5]], settings(name))


@pytest.mark.parametrize("field", ["eos_token_id", "pad_token_id", "eot_token_id"])
@pytest.mark.parametrize("value", [[1, 2], "1", 1.0, True, -1, 37])
def test_a_special_id_is_one_id_of_the_vocabulary(field: str, value: Any) -> None:
    model = FakeModel()
    setattr(model.config, field, value)
    with pytest.raises(DecodingError, match=field):
        decode(model, [[3, 4]], settings())


@pytest.mark.parametrize(("field", "value"), [("suppress_token_ids", [0, 999]), ("mask_token_id", 37)])
def test_ids_that_are_hidden_are_of_the_vocabulary(field: str, value: Any) -> None:
    model = FakeModel()
    setattr(model.config, field, value)
    with pytest.raises(DecodingError, match=field):
        decode(model, [[3, 4]], settings(suppress="special"))


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ([3, 37], "contains the id 37"),
        ([-2, 3], "contains the id -2"),
        ([], "is empty"),
        ("text", "no list of token ids"),
        ([3.0, 4.0], "no list of token ids"),
        ([[3, 4]], "no list of token ids"),
        (None, "no list of token ids"),
        (torch.ones(2, 2, dtype=torch.long), "no list of token ids"),
        (torch.ones(2), "no list of token ids"),
        (torch.ones(0, dtype=torch.long), "is empty"),
        ([36], "mask id"),
    ],
    ids=str,
)
def test_a_prompt_that_cannot_be_decoded_names_its_row(prompt: Any, message: str) -> None:
    with pytest.raises(DecodingError, match=f"prompt 1 .*{message}|prompt 1 {message}"):
        decode(FakeModel(), [[3, 4], prompt], settings())


def test_prompts_may_be_tensors_and_arrays() -> None:
    prompts = [[3, 4, 5], [6, 7, 8]]
    expected = decode(FakeModel(), prompts, settings()).tokens
    table = torch.tensor(prompts)
    forms: list[Any] = [table, list(table), table.numpy(), [tuple(one) for one in prompts]]
    for form in forms:
        assert torch.equal(decode(FakeModel(), form, settings()).tokens, expected)


@every_decoder
def test_prompt_and_response_fit_into_the_positions_of_the_model(name: str) -> None:
    model = FakeModel()
    model.config.max_position_embeddings = 3 + LENGTH
    decode(model, [[3, 4, 5]], settings(name))
    with pytest.raises(DecodingError, match=r"prompt 1 has 4 tokens: .* 11 positions"):
        decode(model, [[3, 4, 5], [3, 4, 5, 6]], settings(name))


@every_decoder
def test_settings_that_are_not_finite_are_refused(name: str) -> None:
    numbers = [
        key for key, field in DECODERS[name].settings.model_fields.items() if field.annotation is float
    ]
    assert numbers
    for key in numbers:
        for value in ("inf", "nan", float("inf"), float("nan")):
            with pytest.raises(DecodingError, match=key):
                settings(name, **{key: value})


def test_the_decoder_is_no_setting() -> None:
    first, second = list(DECODERS)[:2]
    with pytest.raises(DecodingError, match="is not the decoder that was chosen"):
        settings_from(first, {"decoder": second})


@pytest.mark.parametrize("name", WITH_POLICY, ids=case_id)
class TestPolicies:
    def test_no_more_of_the_best_tokens_than_there_are(self, name: str) -> None:
        if "soft_top" not in DECODERS[name].settings.model_fields:
            pytest.skip("its predictions are tokens")
        decode(FakeModel(), [[3]], settings(name, prediction="top", soft_top=37, policy="constant:0.5"))
        with pytest.raises(DecodingError, match="soft_top is 38, and the model has 37"):
            decode(FakeModel(), [[3]], settings(name, prediction="top", soft_top=38))

    def test_a_step_size_that_is_no_number_is_an_error(self, name: str) -> None:
        class Wrong:
            needs_features = False

            def __call__(self, features_BM8: Tensor | None, info: Any) -> Tensor:
                return torch.where(info.rows_B[:, None] == 1, torch.nan, info.c_BM)

        with pytest.raises(DecodingError, match="row 1, step 1 of block 1: the policy"):
            decode(FakeModel(), [[3], [4]], settings(name), Wrong())

    def test_no_policy_is_not_the_default_one(self, name: str) -> None:
        with pytest.raises(DecodingError, match="no such policy or file: ''"):
            decode(FakeModel(), [[3]], settings(name), "")


def test_a_mixture_is_of_no_more_tokens_than_there_are() -> None:
    with pytest.raises(DecodingError, match="top is 38, and the model has 37"):
        decode(FakeModel(), [[3]], settings("soft_tokens", top=38))


def test_a_saved_policy_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    policy = LearnedPolicy()
    with torch.no_grad():
        policy.head.weight[0, 0] = float("nan")
    policy.save(tmp_path / "p.safetensors")
    with pytest.raises(ArtifactError, match=r"head\.weight has values that are not finite"):
        load_policy(tmp_path / "p.safetensors")


def test_the_mask_of_the_fakes_is_what_these_tests_take_it_for() -> None:
    from xpflow.decoding.canvas import model_facts

    assert model_facts(FakeModel()).noise == OneMask(36)
