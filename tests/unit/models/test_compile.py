"""The training path has no data-dependent control flow: it is one graph."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from transformers import PreTrainedModel

Make = Callable[..., PreTrainedModel]
Ids = Callable[..., Tensor]


def test_training_step_is_one_graph(name: str, make_model: Make, ids: Ids) -> None:
    model, ids_BS = make_model(name).train(), ids(2, 24)
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    positions_BN = torch.arange(8, 24).expand(2, -1)
    found = compiled(input_ids=ids_BS, attention_mask=ids_BS > 0, logits_positions_BN=positions_BN).logits
    expected = model(input_ids=ids_BS, attention_mask=ids_BS > 0, logits_positions_BN=positions_BN).logits
    torch.testing.assert_close(found, expected)
    found.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_autocast_keeps_the_router_in_fp32(make_model: Make, ids: Ids) -> None:
    model, ids_BS = make_model("llada2-micro"), ids(2, 24)
    with torch.no_grad():
        exact = model(input_ids=ids_BS).logits
        with torch.autocast("cpu", torch.bfloat16):
            weight_Tk, _ = model.model.layers[1].mlp.gate(torch.randn(5, 128))
            rough = model(input_ids=ids_BS).logits
    assert weight_Tk.dtype == rough.dtype == torch.float32
    assert float((rough - exact).abs().mean() / exact.abs().mean()) < 0.05


def test_new_models_depend_on_their_seed_only(name: str, make_model: Make) -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = make_model(name, 9).state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    second = make_model(name, 9).state_dict()
    assert all(torch.equal(tensor, second[key]) for key, tensor in first.items())
