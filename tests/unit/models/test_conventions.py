"""The published models' numerical conventions in bf16, where they make a difference, to the bit."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import PreTrainedModel

from xpflow.models.layers import RMSNorm, rotary_tables

Make = Callable[..., PreTrainedModel]
BF16 = torch.bfloat16


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(BF16)


def turn(x_BHSK: Tensor, cos_SR: Tensor, sin_SR: Tensor) -> Tensor:
    """NeoX half-rotation of the first R dimensions, in the dtype of what it is given."""
    R = cos_SR.shape[-1]
    part, rest = x_BHSK[..., :R], x_BHSK[..., R:]
    turned = part * cos_SR + torch.cat((-part[..., R // 2 :], part[..., : R // 2]), -1) * sin_SR
    return torch.cat((turned, rest), -1)


def test_the_norm_is_fp32_inside_then_cast_then_multiplied_by_the_weight() -> None:
    norm, x = RMSNorm(128, 1e-5).to(BF16), noise(50, 128)
    norm.weight.data = 1 + 0.3 * noise(128, seed=1)
    wide = x.float() * torch.rsqrt(x.float().square().mean(-1, keepdim=True) + 1e-5)
    with torch.no_grad():
        assert torch.equal(norm(x), norm.weight * wide.to(BF16))
        assert not torch.equal(norm(x), (norm.weight.float() * wide).to(BF16))


@torch.no_grad()
def test_llada_rotates_in_fp32_and_casts_back(make_model: Make) -> None:
    block = make_model("llada-micro").to(BF16).model.transformer["blocks"][0]
    x_BSD = noise(2, 40, 128)
    cos_SR, sin_SR = rotary_tables(40, 32, 500000.0, x_BSD)
    assert cos_SR.dtype == torch.float32
    q, k, v = (
        p(x_BSD).view(2, 40, 4, 32).transpose(1, 2) for p in (block.q_proj, block.k_proj, block.v_proj)
    )

    def attended(q: Tensor, k: Tensor) -> Tensor:
        return block.attn_out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(2, 40, 128))

    wide = [turn(x.float(), cos_SR, sin_SR).to(BF16) for x in (q, k)]
    narrow = [turn(x, cos_SR.to(BF16), sin_SR.to(BF16)) for x in (q, k)]
    found = block.attention(x_BSD, cos_SR, sin_SR, None)
    assert torch.equal(found, attended(*wide))
    assert not torch.equal(found, attended(*narrow))


@torch.no_grad()
def test_llada2_norms_each_head_then_rotates_its_first_half_in_bf16(make_model: Make) -> None:
    attention = make_model("llada2-micro").to(BF16).model.layers[0].attention
    x_BSD = noise(2, 16, 128)
    cos_SR, sin_SR = rotary_tables(16, 16, 10000.0, x_BSD)
    heads = attention.query_key_value(x_BSD).view(2, 16, 8, 32).transpose(1, 2)
    q, k, v = attention.query_layernorm(heads[:, :4]), attention.key_layernorm(heads[:, 4:6]), heads[:, 6:]

    def attended(q: Tensor, k: Tensor) -> Tensor:
        k, wide_v = (x.repeat_interleave(2, dim=1) for x in (k, v))
        return attention.dense(
            F.scaled_dot_product_attention(q, k, wide_v).transpose(1, 2).reshape(2, 16, 128)
        )

    narrow = [turn(x, cos_SR.to(BF16), sin_SR.to(BF16)) for x in (q, k)]
    wide = [turn(x.float(), cos_SR, sin_SR).to(BF16) for x in (q, k)]
    found = attention(x_BSD, cos_SR, sin_SR, None)
    assert torch.equal(found, attended(*narrow))
    assert not torch.equal(found, attended(*wide))


@torch.no_grad()
def test_the_router_works_in_fp32_selects_with_the_bias_and_mixes_without_it(make_model: Make) -> None:
    gate = make_model("llada2-micro", 4).to(BF16).model.layers[2].mlp.gate
    x_TD = noise(60, 128)
    score_TE = torch.sigmoid(x_TD.float() @ gate.weight.float().T)
    weight_Tk, chosen_Tk = gate(x_TD)
    assert gate.expert_bias.dtype == BF16  # as it is stored
    assert weight_Tk.dtype == torch.float32
    biased_TE = score_TE + gate.expert_bias.float()
    group_TG = biased_TE.view(60, 4, 2).sum(-1).topk(2).indices
    allowed_TE = torch.zeros(60, 4, dtype=torch.bool).scatter(1, group_TG, True).repeat_interleave(2, dim=1)
    expected_Tk = biased_TE.masked_fill(~allowed_TE, -torch.inf).topk(2).indices
    assert torch.equal(chosen_Tk.sort().values, expected_Tk.sort().values)
    plain_Tk = score_TE.gather(1, chosen_Tk)
    torch.testing.assert_close(weight_Tk, 2.5 * plain_Tk / (plain_Tk.sum(-1, keepdim=True) + 1e-20))
    rough_TE = torch.sigmoid(F.linear(x_TD, gate.weight)).float()
    assert not torch.equal(rough_TE, score_TE)


@pytest.mark.parametrize(("family", "dtype"), [("llada-micro", BF16), ("llada2-micro", torch.float32)])
def test_logits_keep_bf16_in_llada_and_become_fp32_in_llada2(
    make_model: Make, family: str, dtype: torch.dtype
) -> None:
    with torch.no_grad():
        assert make_model(family).to(BF16)(input_ids=torch.tensor([[5, 6, 7]])).logits.dtype == dtype
