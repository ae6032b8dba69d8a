"""The mixture of experts: two ways of running it, its load, its balancing, adapters on it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import PreTrainedModel

from xpflow.models.checkpoint import group_experts, load_checkpoint, place_tensor, save_checkpoint
from xpflow.models.moe import SparseMoE, grouped_works

Make = Callable[..., PreTrainedModel]
Ids = Callable[..., Tensor]


def layers_of(model: PreTrainedModel) -> list[SparseMoE]:
    return [module for module in model.modules() if isinstance(module, SparseMoE)]


def run_with(model: PreTrainedModel, ids_BS: Tensor, dense: bool) -> tuple[Tensor, dict[str, Tensor]]:
    for layer in layers_of(model):
        layer.dense = dense
    model.zero_grad()
    logits = model(input_ids=ids_BS).logits
    logits.square().mean().backward()
    return logits.detach(), {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def test_all_experts_at_once_equals_the_loop_over_experts(make_model: Make, ids: Ids) -> None:
    model = make_model("llada2-micro")
    assert all(layer.dense for layer in layers_of(model))
    dense, dense_grads = run_with(model, ids(4, 33), dense=True)
    loop, loop_grads = run_with(model, ids(4, 33), dense=False)
    torch.testing.assert_close(dense, loop, rtol=1e-5, atol=1e-5)
    for name, gradient in loop_grads.items():
        torch.testing.assert_close(dense_grads[name], gradient, rtol=1e-3, atol=1e-6)


def test_many_experts_choose_the_loop(make_model: Make, ids: Ids) -> None:
    model = make_model("llada2-micro", num_experts=32, n_group=8, topk_group=4)
    assert not any(layer.dense for layer in layers_of(model))
    with torch.no_grad():
        assert torch.isfinite(model(input_ids=ids(1, 3)).logits).all()


def test_load_counts_each_tokens_experts_in_training_only(make_model: Make, ids: Ids) -> None:
    model = make_model("llada2-micro")
    assert model(input_ids=ids(2, 9)).router_load is None
    load = model.train()(input_ids=ids(2, 9)).router_load
    assert load.shape == (3, 8)
    assert load.sum(-1).tolist() == [2 * 9 * 2] * 3


def test_balancing_moves_bias_from_busy_to_idle_experts_and_evens_the_load(
    make_model: Make, ids: Ids
) -> None:
    model = make_model("llada2-micro").train()
    router = layers_of(model)[0].gate
    before, ids_BS = router.expert_bias.clone(), ids(8, 40)
    first = model(input_ids=ids_BS).router_load
    model.update_expert_bias(first, rate=0.01)
    moved = router.expert_bias - before
    assert moved[first[0].argmax()] < 0 < moved[first[0].argmin()]
    for _ in range(60):
        model.update_expert_bias(model(input_ids=ids_BS).router_load, rate=0.01)
    last = model(input_ids=ids_BS).router_load
    assert last.float().std(-1).mean() < 0.5 * first.float().std(-1).mean()


def test_bias_chooses_experts_but_does_not_weigh_them(make_model: Make) -> None:
    router = layers_of(make_model("llada2-micro"))[0].gate
    x_TD = torch.randn(50, 128, generator=torch.Generator().manual_seed(0))
    weight_Tk, chosen_Tk = router(x_TD)
    router.expert_bias += 100.0  # the same for all: the choice stays, and so must the weights
    again_Tk, same_Tk = router(x_TD)
    assert torch.equal(chosen_Tk.sort().values, same_Tk.sort().values)
    torch.testing.assert_close(weight_Tk.sum(-1), torch.full((50,), 2.5))
    torch.testing.assert_close(again_Tk.sort().values, weight_Tk.sort().values)
    assert chosen_Tk.div(2, rounding_mode="floor").unique(dim=-1).shape[-1] <= 2


def test_adapters_on_attention_and_on_experts_take_effect(make_model: Make, ids: Ids) -> None:
    model, ids_BS = make_model("llada2-micro"), ids(2, 12)
    with torch.no_grad():
        before = model(input_ids=ids_BS).logits
    for targets in (["query_key_value", "dense"], ["gate_proj", "up_proj", "down_proj"]):
        adapted = get_peft_model(make_model("llada2-micro"), LoraConfig(r=2, target_modules=targets))
        with torch.no_grad():
            torch.testing.assert_close(adapted(input_ids=ids_BS).logits, before, rtol=1e-5, atol=1e-5)
            routed = [p for n, p in adapted.named_parameters() if "lora_B" in n and "shared" not in n]
            for parameter in routed:
                parameter += 0.1
            changed = adapted(input_ids=ids_BS).logits
            merged = adapted.merge_and_unload()(input_ids=ids_BS).logits
        assert not torch.allclose(changed, before, atol=1e-3)
        torch.testing.assert_close(merged, changed, rtol=1e-4, atol=1e-4)


def many_experts(make_model: Make, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    sizes = {"num_experts": 32, "n_group": 8, "topk_group": 4, "num_experts_per_tok": 4}
    return make_model("llada2-micro", **sizes).to(dtype)


def grouped(model: PreTrainedModel) -> PreTrainedModel:
    group_experts(model, torch.device("cpu"), model.dtype)
    return model


def ways_of(model: PreTrainedModel) -> set[str]:
    """Which way each layer chooses for a forward."""
    x_TD = torch.zeros(3, 128, dtype=model.dtype)
    return {layer._way(x_TD).__qualname__ for layer in layers_of(model)}


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_grouped_products_equal_the_loop_over_experts(
    make_model: Make, ids: Ids, dtype: torch.dtype, error: float, seed: int
) -> None:
    model = many_experts(make_model, dtype)
    inputs = (ids(3, 37, seed), ids(1, 1, seed))  # of one token most experts see nothing
    with torch.no_grad():
        assert ways_of(model) == {"SparseMoE.run_loop"}
        loop = [model(input_ids=ids_BS).logits for ids_BS in inputs]
        assert ways_of(grouped(model)) == {"ExpertStack.run"}
        for ids_BS, expected in zip(inputs, loop, strict=True):
            found = model(input_ids=ids_BS).logits
            assert float((found - expected).abs().max() / expected.abs().max()) < error


def test_grouped_products_of_one_layer_are_the_loop_s_in_bf16(make_model: Make) -> None:
    layer = layers_of(grouped(many_experts(make_model, torch.bfloat16)))[0]
    x_TD = torch.randn(40, 128, generator=torch.Generator().manual_seed(0)).bfloat16()
    with torch.no_grad():
        weight_Tk, chosen_Tk = layer.gate(x_TD)
        assert layer.stack is not None
        found = layer.stack.run(x_TD, weight_Tk, chosen_Tk)
        torch.testing.assert_close(found, layer.run_loop(x_TD, weight_Tk, chosen_Tk), rtol=2e-2, atol=1e-3)
    assert found.dtype == torch.float32


def test_what_a_device_lacks_is_found_by_trying() -> None:
    assert grouped_works(torch.device("cpu"), torch.bfloat16)
    assert not grouped_works(torch.device("cpu"), torch.float64)


def test_gradients_to_the_input_pass_through_frozen_grouped_experts(make_model: Make, ids: Ids) -> None:
    gradients = []
    for prepare in (lambda model: model, grouped):
        model = prepare(many_experts(make_model)).requires_grad_(False)
        x_BSD = model.get_input_embeddings()(ids(2, 20)).requires_grad_()
        model(inputs_embeds=x_BSD).logits.square().mean().backward()
        gradients.append(x_BSD.grad)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-6)


def test_stacked_weights_are_held_once_and_saved_under_their_own_names(
    make_model: Make, tmp_path: Path
) -> None:
    model = many_experts(make_model)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    grouped(model)
    for layer in layers_of(model):
        storages = {p.untyped_storage().data_ptr() for p in layer.experts.parameters()}
        assert len(storages) == 2
    save_checkpoint(model, None, tmp_path / "m")
    again = load_checkpoint(tmp_path / "m").state_dict()
    assert list(again) == list(before)
    assert all(torch.equal(again[name], tensor) for name, tensor in before.items())


def test_a_model_whose_experts_moved_takes_another_way(make_model: Make) -> None:
    with torch.no_grad():
        model = grouped(many_experts(make_model))
        assert ways_of(copy.deepcopy(model)) == {"SparseMoE.run_loop"}
        assert ways_of(model) == {"ExpertStack.run"}
        layers_of(model)[0].experts[0].gate_proj.weight.add_(1.0)  # in place, as an optimizer does
        assert ways_of(model) == {"ExpertStack.run"}
        assert ways_of(model.double()) == {"SparseMoE.run_loop"}
    trained = grouped(many_experts(make_model))
    assert ways_of(trained) == {"SparseMoE.run_loop"}  # its experts want gradients
    adapted = get_peft_model(
        grouped(many_experts(make_model)), LoraConfig(r=2, target_modules=r".*experts\.5\.up_proj")
    )
    with torch.no_grad():
        assert ways_of(adapted) == {"SparseMoE.run_loop"}


def test_a_grouped_model_can_be_filled_from_a_checkpoint(make_model: Make, tmp_path: Path) -> None:
    model = many_experts(make_model)
    save_checkpoint(model, None, tmp_path / "m", max_shard_bytes=300_000)
    with torch.device("meta"):
        empty = type(model)(model.config)
    group_experts(empty, torch.device("cpu"), torch.bfloat16)
    for name, tensor in load_checkpoint(tmp_path / "m", dtype=torch.bfloat16).state_dict().items():
        place_tensor(empty, name, tensor)
    with torch.no_grad():
        assert ways_of(empty) == {"ExpertStack.run"}
    found, expected = empty.state_dict(), model.state_dict()
    assert all(torch.equal(found[name], tensor.bfloat16()) for name, tensor in expected.items())
