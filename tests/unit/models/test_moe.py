"""The mixture of experts: two ways of running it, its load, its balancing, adapters on it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import PreTrainedModel

from xpflow.models.moe import SparseMoE

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
