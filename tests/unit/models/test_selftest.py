"""The self-test tells trained weights from random ones; special ids come from the tokenizer."""

from __future__ import annotations

import json
import math
from itertools import islice
from pathlib import Path

import pytest
import torch

from xpflow.errors import ModelLoadError, SelfTestError
from xpflow.models.checkpoint import save_checkpoint
from xpflow.models.device import chosen_dtype
from xpflow.models.load import load_model
from xpflow.models.registry import SHIPPED
from xpflow.models.selftest import ANSWER, EVERY, Turn, bound, masked_cross_entropy, require_sound
from xpflow.models.untrained import new_model
from xpflow.problems.micropy.dataset import training_pairs

TURN = Turn(*next(islice(training_pairs(3), 1)))


def test_trained_weights_pass_and_random_ones_do_not(name: str) -> None:
    model, tokenizer = load_model(name)
    assert require_sound(model, tokenizer, name, TURN) < 0.5
    random = new_model(model.config, 0).eval()
    assert masked_cross_entropy(random, tokenizer, TURN) > math.log(1024) - 1
    with pytest.raises(SelfTestError, match=rf"{name} predicts masked .* stays below 3\.47"):
        require_sound(random, tokenizer, name, TURN)


@pytest.mark.parametrize("part", ["norm", "gate_proj", "ff_proj", "q_proj", "query_key_value"])
def test_one_damaged_kind_of_tensor_is_enough(name: str, part: str) -> None:
    model, tokenizer = load_model(name)
    hit = [p for n, p in model.named_parameters() if part in n]
    for parameter in hit:
        parameter.data = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
    if hit:
        with pytest.raises(SelfTestError):
            require_sound(model, tokenizer, name, TURN)


def test_weights_that_are_not_numbers_do_not_pass(name: str) -> None:
    model, tokenizer = load_model(name)
    next(model.parameters()).data.fill_(float("nan"))
    with pytest.raises(SelfTestError, match="nan nats"):
        require_sound(model, tokenizer, name, TURN)


def test_the_bounds_of_the_published_vocabularies_are_below_six_nats(name: str) -> None:
    model, _ = load_model(name)
    for vocabulary in (126464, 157184):
        model.config.vocab_size = vocabulary
        assert 5.8 < bound(model) < 6.0
    assert len(ANSWER.split()) > 10 * EVERY


def test_ids_that_config_json_does_not_state_come_from_the_tokenizer(name: str, tmp_path: Path) -> None:
    model, tokenizer = load_model(SHIPPED / name)
    end = model.config.eot_token_id
    save_checkpoint(model, tokenizer, tmp_path / "m")
    fields = json.loads((tmp_path / "m" / "config.json").read_text())
    unstated = ("mask_token_id", "eot_token_id", "suppress_token_ids")
    short = {key: value for key, value in fields.items() if key not in unstated}
    (tmp_path / "m" / "config.json").write_text(json.dumps(short))
    config = load_model(tmp_path / "m")[0].config
    assert (config.mask_token_id, config.eot_token_id, config.suppress_token_ids) == (2, end, None)
    (tmp_path / "m" / "config.json").write_text(json.dumps(fields | {"mask_token_id": 7}))
    with pytest.raises(ModelLoadError, match=r"mask_token_id is 7 in config\.json, 2 in the tokenizer"):
        load_model(tmp_path / "m")


def test_auto_takes_bf16_only_where_it_is_faster() -> None:
    def seconds(bf16: float):
        return lambda dtype, device: bf16 if dtype == torch.bfloat16 else 1.0

    device = torch.device("cpu")
    assert chosen_dtype("auto", device, seconds(0.5)) == torch.bfloat16
    assert chosen_dtype("auto", device, seconds(0.95)) == torch.float32
    assert chosen_dtype("bfloat16", device, seconds(2.0)) == torch.bfloat16
    assert chosen_dtype("float32", device, seconds(0.1)) == torch.float32
    assert chosen_dtype("auto", device) in (torch.float32, torch.bfloat16)
