"""Decoding with the key-value cache: the tokens, NFE and traces of decoding without it, for less work."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch

from fakes.decoding import every_case
from fakes.models import FakeModel
from xpflow.decoding import decode, settings_from
from xpflow.decoding.decoders import DECODERS
from xpflow.errors import DecodingError
from xpflow.models.untrained import SpecialIds, micro_config, new_model


class Counting:
    """A model that counts the forwards' rows and positions."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model, self.config, self.rows, self.positions = model, model.config, 0, 0
        self.get_input_embeddings, self.new_cache = model.get_input_embeddings, model.new_cache
        self.newline_token_ids = (5,)

    def __call__(self, **inputs):
        shown = inputs.get("input_ids", inputs.get("inputs_embeds"))
        self.rows, self.positions = self.rows + len(shown), self.positions + shown.shape[0] * shown.shape[1]
        return self.model(**inputs)


@pytest.fixture(scope="module")
def random_model():
    """A random block-causal model whose predictions differ in confidence and which ends some answers."""
    ids = SpecialIds(mask_token_id=4, eos_token_id=1, pad_token_id=0, suppress_token_ids=[0, 4])
    model = new_model(micro_config("llada2-micro", 61, ids), 1).double().eval()
    with torch.no_grad():
        model.lm_head.weight.mul_(3.0)
    return model


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    generator = torch.Generator().manual_seed(5)
    lengths = [1, 15, 16, 17, 33, 48]
    return [torch.randint(5, 61, (n,), generator=generator).tolist() for n in lengths]


@every_case
def test_tokens_nfe_and_traces_are_those_without_a_cache(random_model, prompts, name, values):
    if DECODERS[name].settings.model_fields["kv_cache"].annotation == Literal["off"]:
        pytest.skip("takes no cache")
    stops = len(values) % 2 == 0  # half of the examples each: a decode takes seconds
    shared = {"gen_length": 40, "budget": "1/4", "batch_size": 4, "suppress": "special"}
    shared |= {"stop_after_eos": stops}
    plain, cached = Counting(random_model), Counting(random_model)
    results = [
        decode(model, prompts, settings_from(name, {**shared, **values, "kv_cache": kv}), trace=True)
        for model, kv in ((plain, "off"), (cached, "on"))
    ]
    assert results[0].tokens.tolist() == results[1].tokens.tolist()
    assert results[0].nfe.tolist() == results[1].nfe.tolist()
    for one, other in zip(results[0].trace, results[1].trace, strict=True):
        assert all(np.array_equal(one.arrays[key], other.arrays[key]) for key in ("open", "prediction"))
    assert cached.rows == plain.rows == int(results[1].cost.rows_B.sum())
    assert cached.positions < plain.positions


def test_a_block_s_forwards_cost_the_block_and_the_first_one_what_is_not_cached(random_model):
    shown = []

    class Watched(Counting):
        def __call__(self, **inputs):
            shown.append(tuple(inputs["input_ids"].shape))
            return super().__call__(**inputs)

    values = {"gen_length": 40, "budget": "1/4", "kv_cache": "on", "stop_after_eos": False}
    decode(Watched(random_model), [[5] * 30, [6] * 20], settings_from("mask_prediction", values))
    # A quarter of 2 and 12, of 16 and 16 twice, and of 16 in the longer row alone.
    assert shown == [
        *[(2, 32), (1, 16), (1, 16)],
        *[(2, 32), (2, 16), (2, 16), (2, 16)],
        *[(2, 32), (2, 16), (2, 16), (2, 16)],
        *[(1, 32), (1, 16), (1, 16), (1, 16)],
    ]


def test_auto_is_off_on_a_cpu_and_a_model_without_a_cache_says_so(random_model, prompts):
    counted = Counting(random_model)
    counted.new_cache = None
    decode(counted, prompts[:2], settings_from("mask_prediction", {"gen_length": 16, "budget": "1/4"}))
    with pytest.raises(DecodingError, match="no exact key-value cache"):
        decode(FakeModel(), [[5]], settings_from("flow", {"gen_length": 16, "kv_cache": "on"}))
