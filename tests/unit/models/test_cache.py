"""The block-causal cache: windows give the logits of one forward over everything."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

Make = Callable[..., PreTrainedModel]
Ids = Callable[..., Tensor]
BLOCK = 16


@pytest.fixture
def model(make_model: Make) -> PreTrainedModel:
    return make_model("llada2-micro", 3).double()


def windowed(
    model: PreTrainedModel, ids_BS: Tensor, starts: list[list[int]], widths: list[int]
) -> list[Tensor]:
    """Run one forward per window and return its logits [B, W, V]."""
    cache = model.new_cache(*ids_BS.shape)
    found = []
    for start, width in zip(starts, widths, strict=True):
        window = cache.window(torch.tensor(start), width)
        part_BW = ids_BS.gather(1, window.positions_BW)
        found.append(model(input_ids=part_BW, cache=window).logits)
    return found


@torch.no_grad()
def test_block_after_block_gives_the_logits_of_the_whole(model: PreTrainedModel, ids: Ids) -> None:
    ids_BS = ids(3, 64)
    expected = model(input_ids=ids_BS).logits
    parts = windowed(model, ids_BS, [[0] * 3, [32] * 3, [48] * 3], [32, 16, 16])
    torch.testing.assert_close(torch.cat(parts, dim=1), expected)


@torch.no_grad()
def test_rows_may_be_in_different_blocks_and_windows_may_span_two(model: PreTrainedModel, ids: Ids) -> None:
    ids_BS = ids(3, 80)
    expected = model(input_ids=ids_BS).logits
    starts = [[0, 0, 0], [16, 48, 32], [32, 32, 16]]
    parts = windowed(model, ids_BS, starts, [48, 32, 32])
    for row in range(3):
        for start, part in zip(starts, parts, strict=True):
            here = slice(start[row], start[row] + part.shape[1])
            torch.testing.assert_close(part[row], expected[row, here])


@torch.no_grad()
def test_a_finished_block_is_rewritten_by_running_it_again(model: PreTrainedModel, ids: Ids) -> None:
    before, after = ids(1, 48, 0), ids(1, 48, 1)
    after[:, :16] = before[:, :16]
    cache = model.new_cache(1, 48)
    # Block 1 still holds other ids.
    model(input_ids=before[:, :32], cache=cache.window(torch.tensor([0]), 32))
    found = model(input_ids=after[:, 16:48], cache=cache.window(torch.tensor([16]), 32)).logits
    torch.testing.assert_close(found, model(input_ids=after).logits[:, 16:])
    stale = model(input_ids=after[:, 32:48], cache=cache.window(torch.tensor([32]), 16)).logits
    torch.testing.assert_close(stale, found[:, 16:])


@torch.no_grad()
def test_taken_rows_are_copies_and_positions_count_from_the_window(model: PreTrainedModel, ids: Ids) -> None:
    ids_BS = ids(3, 48)
    cache = model.new_cache(3, 48)
    model(input_ids=ids_BS[:, :32], cache=cache.window(torch.zeros(3, dtype=torch.long), 32))
    keys = [layer.clone() for layer in cache.keys]
    some = cache.take(torch.tensor([2, 0]))
    places_BN = torch.tensor([[3, 0], [15, 7]])
    window = some.window(torch.tensor([32, 32]), 16)
    table = model.get_input_embeddings()
    found = model(
        inputs_embeds=table(ids_BS[[2, 0], 32:]), cache=window, logits_positions_BN=places_BN
    ).logits
    expected = model(input_ids=ids_BS[[2, 0]], logits_positions_BN=places_BN + 32).logits
    torch.testing.assert_close(found, expected)
    assert all(torch.equal(layer, old) for layer, old in zip(cache.keys, keys, strict=True))


def test_a_cache_and_a_mask_exclude_each_other(model: PreTrainedModel, ids: Ids) -> None:
    window = model.new_cache(1, 16).window(torch.tensor([0]), 16)
    with pytest.raises(ValueError, match="give neither"):
        model(input_ids=ids(1, 16), cache=window, attention_mask=torch.ones(1, 16))
