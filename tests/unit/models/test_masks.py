"""Who sees whom: block-causal alignment, padding, 4-D masks, and logits at chosen positions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

Make = Callable[..., PreTrainedModel]
Ids = Callable[..., Tensor]


def test_block_causal_mask_is_aligned_to_absolute_position_zero(make_model: Make, ids: Ids) -> None:
    model, ids_BS = make_model("llada2-micro"), ids(1, 40)
    for changed in (15, 16, 31, 32, 39):
        other_BS = ids_BS.clone()
        other_BS[0, changed] = (other_BS[0, changed] + 1) % 100
        with torch.no_grad():
            moved = (model(input_ids=ids_BS).logits != model(input_ids=other_BS).logits).any(-1)[0]
        first = changed // 16 * 16
        assert not moved[:first].any()
        assert moved[first:].all()


def test_dense_model_sees_both_ways(make_model: Make, ids: Ids) -> None:
    model, ids_BS = make_model("llada-micro"), ids(1, 40)
    other_BS = ids_BS.clone()
    other_BS[0, 39] = (other_BS[0, 39] + 1) % 100
    with torch.no_grad():
        assert (model(input_ids=ids_BS).logits != model(input_ids=other_BS).logits).any(-1).all()


@pytest.mark.parametrize("length", [13, 24, 33])
def test_padding_on_the_right_changes_nothing(name: str, make_model: Make, ids: Ids, length: int) -> None:
    model, ids_BS = make_model(name), ids(3, 50)
    visible_BS = torch.ones(3, 50, dtype=torch.long)
    visible_BS[0, length:] = 0
    with torch.no_grad():
        alone = model(input_ids=ids_BS[:1, :length]).logits[0]
        padded = model(input_ids=ids_BS, attention_mask=visible_BS).logits[0, :length]
    torch.testing.assert_close(padded, alone, rtol=1e-5, atol=2e-5)


def test_padding_is_finite_and_hides_its_content_exactly(name: str, make_model: Make, ids: Ids) -> None:
    model, ids_BS = make_model(name), ids(2, 40)
    visible_BS = torch.arange(40)[None] < torch.tensor([[9], [40]])
    other_BS = torch.where(visible_BS, ids_BS, 0)
    with torch.no_grad():
        first = model(input_ids=ids_BS, attention_mask=visible_BS).logits
        second = model(input_ids=other_BS, attention_mask=visible_BS).logits
    assert torch.isfinite(first).all()
    assert torch.equal(first[visible_BS], second[visible_BS])


def test_a_mask_that_hides_nothing_is_no_mask(name: str, make_model: Make, ids: Ids) -> None:
    model, ids_BS = make_model(name), ids(2, 20)
    with torch.no_grad():
        masked = model(input_ids=ids_BS, attention_mask=torch.ones(2, 20)).logits
        assert torch.equal(masked, model(input_ids=ids_BS).logits)


@pytest.mark.parametrize("grad", [False, True])
def test_four_dimensional_additive_mask_replaces_the_own_one(
    name: str, make_model: Make, ids: Ids, grad: bool
) -> None:
    model, ids_BS, block = make_model(name), ids(2, 37), 16
    rows = torch.arange(37) // block
    seen = rows[None] <= rows[:, None] if name == "llada2-micro" else torch.ones(37, 37, dtype=torch.bool)
    additive = torch.zeros(1, 1, 37, 37).masked_fill(~seen, float("-inf"))
    with torch.set_grad_enabled(grad):
        own = model(input_ids=ids_BS).logits
        torch.testing.assert_close(model(input_ids=ids_BS, attention_mask=additive).logits, own)
        diagonal = torch.full((1, 1, 37, 37), float("-inf")).masked_fill(torch.eye(37).bool(), 0.0)
        lonely = model(input_ids=ids_BS, attention_mask=diagonal).logits
    assert not torch.allclose(lonely, own, atol=1e-2)


def test_logits_at_positions_are_the_full_logits_there(name: str, make_model: Make, ids: Ids) -> None:
    model, ids_BS = make_model(name), ids(3, 45)
    positions_BN = torch.stack(
        [torch.randperm(45, generator=torch.Generator().manual_seed(i))[:13] for i in range(3)]
    )
    with torch.no_grad():
        full = model(input_ids=ids_BS).logits
        part = model(input_ids=ids_BS, logits_positions_BN=positions_BN).logits
    expected = full.gather(1, positions_BN[..., None].expand(-1, -1, full.shape[-1]))
    assert part.shape == (3, 13, full.shape[-1])
    torch.testing.assert_close(part, expected, rtol=1e-5, atol=1e-5)


def test_batch_order_does_not_matter(name: str, make_model: Make, ids: Ids) -> None:
    model, ids_BS, order = make_model(name), ids(5, 30), torch.tensor([3, 1, 4, 0, 2])
    with torch.no_grad():
        torch.testing.assert_close(
            model(input_ids=ids_BS[order]).logits, model(input_ids=ids_BS).logits[order]
        )


def test_ids_and_embeddings_exclude_each_other(name: str, make_model: Make, ids: Ids) -> None:
    model, ids_BS = make_model(name), ids(1, 4)
    with pytest.raises(ValueError, match="exactly one"):
        model()
    with pytest.raises(ValueError, match="exactly one"):
        model(input_ids=ids_BS, inputs_embeds=model.get_input_embeddings()(ids_BS))
    with pytest.raises(ValueError, match="2-D or 4-D"):
        model(input_ids=ids_BS, attention_mask=torch.ones(1, 4, 4))
