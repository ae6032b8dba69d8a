"""What a layer keeps for its backward pass is what autograd really saves, up to a few percent."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from xpflow.continuous.codes import unit_codes
from xpflow.continuous.converter import Converter
from xpflow.models.llada import LLaDABlock, LLaDAConfig
from xpflow.models.llada2 import LLaDA2Layer, LLaDA2MoeConfig
from xpflow.planning.alignment import Alignment
from xpflow.planning.sizes import sizes_of
from xpflow.planning.work import decisions_memory, layer_bytes
from xpflow.study.config.inputs import ModelChoice
from xpflow.study.config.machine import RuntimeBlock
from xpflow.study.config.training import FullSettings
from xpflow.training.objective import Cost
from xpflow.training.objectives.dsl import OBJECTIVE as DSL

LLADA = sizes_of(ModelChoice(name="llada-8b-instruct", training="full"))
LLADA2 = sizes_of(ModelChoice(name="llada2.0-mini", training="full"))

TOKENS = 64


def saved_bytes(layer: torch.nn.Module, width: int, head: int) -> float:
    """Return the bytes per token of what autograd saves in a bf16 forward, weights and S x S tables aside."""
    layer = layer.to(torch.bfloat16)
    weights = {parameter.untyped_storage().data_ptr() for parameter in layer.parameters()}
    seen: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        place = tensor.untyped_storage().data_ptr()
        if place not in weights and tuple(tensor.shape[-2:]) != (TOKENS, TOKENS):
            seen[place] = tensor  # kept alive, so that no storage is counted twice or reused
        return tensor

    table = torch.ones(TOKENS, head)
    x = torch.randn(1, TOKENS, width, dtype=torch.bfloat16, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = layer(x, table, table, None, None)
    assert out is not None
    return sum(tensor.untyped_storage().nbytes() for tensor in seen.values()) / TOKENS


def test_a_dense_layer_keeps_what_autograd_saves() -> None:
    config = LLaDAConfig(d_model=512, n_heads=4, n_kv_heads=4, mlp_hidden_size=1536)
    arch = LLADA
    scale = arch.width / 512  # every term is proportional to the width
    found = saved_bytes(LLaDABlock(config), 512, 128) * scale
    assert layer_bytes(arch, 2, training=True) == pytest.approx(found, rel=0.1)


def test_a_layer_of_experts_keeps_what_autograd_saves() -> None:
    config = LLaDA2MoeConfig(num_experts=32, n_group=4, topk_group=4)
    arch = LLADA2
    found = saved_bytes(LLaDA2Layer(config, 1), config.hidden_size, 64)
    assert layer_bytes(arch, 2, training=True) == pytest.approx(found, rel=0.1)


def test_decisions_of_an_update_are_counted_with_the_policys_backward() -> None:
    assert decisions_memory(64 * 256 * 128, 64) == pytest.approx(2.1e6 * (60 + 4 * 288), rel=0.01)
    assert math.isclose(decisions_memory(0, 64), 0.0)


def test_a_converter_is_counted_with_its_moments_and_what_a_mean_over_the_vocabulary_keeps() -> None:
    def parts(cost: Cost) -> dict[str, float]:
        how = FullSettings(batch_size=2)
        return Alignment(LLADA, how, cost, RuntimeBlock(), 64, 10, 20, 0, 10).memory().parts

    found = parts(DSL.cost(DSL.checked()))
    rest = {name: value for name, value in found.items() if name != "converter"}
    assert rest == parts(Cost())
    vocabulary, width, places = 50, 6, 7
    converter = Converter(
        unit_codes(vocabulary, 4, torch.Generator()), torch.randn(vocabulary, width), torch.randn(width), 1.0
    )
    table = sum(one.numel() for one in converter.parameters())
    assert table == pytest.approx(vocabulary * width, rel=0.05)
    shares = converter.shares(torch.randn(places, 4))
    counted = 16.0 * LLADA.vocab * LLADA.width + 16.0 * 2 * 64 * shares.numel() / places * LLADA.vocab / (
        vocabulary + 1
    )
    assert found["converter"] == pytest.approx(counted, rel=1e-4)
