"""What is masked, and who sees whom in LLaDA2's sequence of a clean and a noisy copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from xpflow.errors import ConfigError
from xpflow.training.corruption import Corrupted, masked, stratified_mask
from xpflow.training.examples import Batch, OwnAnswers
from xpflow.training.objective import Term
from xpflow.training.student import position_terms

N, BLOCK = 8, 4
Two = tuple[Any, Corrupted, Tensor, Tensor]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def two_copies(make_model: Callable[..., Any], data: OwnAnswers) -> Two:
    """Return a block-causal model, a corrupted batch, its clean canvas and prompt lengths."""
    model = make_model("llada2-micro")
    batch = Batch.of(data.train[:4], model.config.pad_token_id)
    return model, masked(batch, model, seeded()), batch.canvas_BS, batch.prompt_B


def logits_of(model: Any, batch: Corrupted, **changed: Tensor) -> Tensor:
    with torch.no_grad():
        found: Tensor = model(**{**batch.inputs, **changed}).logits
    return found


def test_a_batch_of_n_rows_of_n_tokens_has_every_number_of_masks_once() -> None:
    mask_BN = stratified_mask(torch.ones(16, 16, dtype=torch.bool), seeded())
    assert sorted(mask_BN.sum(-1).tolist()) == list(range(1, 17))


def test_every_token_of_a_row_is_masked_as_often_as_any_other() -> None:
    generator, total = seeded(), torch.zeros(8)
    for _ in range(200):
        total += stratified_mask(torch.ones(16, 8, dtype=torch.bool), generator).float().mean(0)
    torch.testing.assert_close(total / 200, torch.full((8,), 4.5 / 8), atol=0.03, rtol=0)


def test_dense_corruption_touches_response_tokens_only(
    make_model: Callable[..., Any], data: OwnAnswers
) -> None:
    model = make_model("llada-micro")
    batch = masked(Batch.of(data.train[:4], model.config.pad_token_id), model, seeded())
    for row, example in enumerate(data.train[:4]):
        start, ids = len(example.prompt), batch.inputs["input_ids"][row]
        assert tuple(ids[:start].tolist()) == example.prompt
        assert tuple(batch.target_BK[row].tolist()) == example.response
        expected = torch.where(batch.mask_BK[row], model.config.mask_token_id, batch.target_BK[row])
        assert torch.equal(ids[start : start + N], expected)
        assert batch.inputs["attention_mask"][row].sum() == start + N


def test_what_is_hard_masked_is_the_noise_that_the_model_names(
    make_model: Callable[..., Any], data: OwnAnswers
) -> None:
    model = make_model("llada-micro")
    batch = Batch.of(data.train, model.config.pad_token_id)
    one = masked(batch, model, seeded())
    model.config.mask_token_ids = (2, 3)
    several = masked(batch, model, seeded())
    assert torch.equal(one.mask_BK, several.mask_BK)
    assert set(several.ids_BK[several.mask_BK].tolist()) == {2, 3}
    assert torch.equal(several.ids_BK[~several.mask_BK], several.target_BK[~several.mask_BK])
    model.config.noise = "gaussian"
    with pytest.raises(ConfigError, match="no token"):
        masked(batch, model, seeded())


def test_both_copies_of_a_token_have_the_position_it_has_in_the_canvas(two_copies: Two) -> None:
    _, batch, canvas_BS, prompt_B = two_copies
    size, places_BT = canvas_BS.shape[1], batch.inputs["position_ids"]
    assert torch.equal(places_BT[0, :size], torch.arange(size))
    for row, start in enumerate(prompt_B.tolist()):
        response = batch.response_BK[row]
        assert places_BT[row, size:][response].tolist() == list(range(start, start + N))
        assert torch.equal(batch.target_BK[row][response], canvas_BS[row, start : start + N])
        assert not (batch.mask_BK[row] & ~response).any()
    assert int(places_BT.max()) < places_BT.shape[1]
    assert (places_BT[:, size:].diff() == 1).all()


def test_every_response_block_has_a_mask(two_copies: Two) -> None:
    _, batch, _, _ = two_copies
    masks, responses = (x.unflatten(1, (-1, BLOCK)).any(-1) for x in (batch.mask_BK, batch.response_BK))
    assert torch.equal(masks, responses)


def test_a_noisy_block_answers_as_in_a_plain_forward_of_that_block_alone(two_copies: Two) -> None:
    model, batch, canvas_BS, prompt_B = two_copies
    logits_BKV, size = logits_of(model, batch), canvas_BS.shape[1]
    for row, start in enumerate(prompt_B.tolist()):
        for block in range(batch.target_BK.shape[1] // BLOCK):
            inside = slice(block * BLOCK, (block + 1) * BLOCK)
            if not batch.response_BK[row, inside].any():
                continue
            first = start // BLOCK * BLOCK + block * BLOCK
            noisy = batch.inputs["input_ids"][row, size:][inside]
            plain = torch.cat((canvas_BS[row, :first], noisy))[None]
            with torch.no_grad():
                expected = model(input_ids=plain).logits[0, first:]
            torch.testing.assert_close(logits_BKV[row, inside], expected, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("copy", ["noisy", "clean"])
def test_a_noisy_block_sees_no_other_noisy_block_and_only_earlier_clean_ones(
    two_copies: Two, copy: str
) -> None:
    model, batch, canvas_BS, prompt_B = two_copies
    ids_BT, size = batch.inputs["input_ids"], canvas_BS.shape[1]
    before = logits_of(model, batch)
    for block in range(batch.target_BK.shape[1] // BLOCK):
        changed = ids_BT.clone()
        for row, start in enumerate(prompt_B.tolist()):
            offset = size if copy == "noisy" else start // BLOCK * BLOCK
            place = offset + block * BLOCK
            if place < (ids_BT.shape[1] if copy == "noisy" else size):
                changed[row, place] = (changed[row, place] + 7) % 300
        moved_BK = (logits_of(model, batch, input_ids=changed) - before).abs().amax(-1) > 1e-5
        moved_Bb = moved_BK.unflatten(1, (-1, BLOCK)).any(-1)
        allowed = torch.arange(moved_Bb.shape[1])
        assert not moved_Bb[:, allowed != block if copy == "noisy" else allowed <= block].any()
        if copy == "noisy":
            assert moved_Bb[:, block].all()


def test_terms_are_means_over_rows_of_means_over_a_mask() -> None:
    values, mask = (
        torch.tensor([[1.0, 2.0, 3.0], [5.0, 7.0, 9.0]]),
        torch.tensor([[1, 1, 0], [0, 0, 1]]).bool(),
    )
    assert Term(values, mask).rows(2).tolist() == [1.5, 9.0]
    assert Term(values).rows(2).tolist() == [2.0, 7.0]
    assert Term(values[:, 0]).rows(2).tolist() == [1.0, 5.0]
    assert Term(torch.tensor(4.0)).rows(2).tolist() == [4.0, 4.0]
    assert Term(values, mask & False).rows(2).tolist() == [0.0, 0.0]


def test_cross_entropy_and_squared_error_of_a_position_are_those_of_the_equations() -> None:
    logits, target = torch.randn(2, 3, 5, generator=seeded()), torch.tensor([[0, 1, 2], [3, 4, 0]])
    table = torch.randn(5, 4, generator=seeded(1))
    found = position_terms(logits, target, table, ["error", "ce", "right"])
    plain = [-logits[r, k].log_softmax(-1)[target[r, k]] for r in range(2) for k in range(3)]
    torch.testing.assert_close(found["ce"], torch.stack(plain).view(2, 3))
    expected = ((logits[1, 2].softmax(-1) @ table - table[0]) ** 2).sum()
    torch.testing.assert_close(found["error"][1, 2], expected)
    assert torch.equal(found["right"], (logits.argmax(-1) == target).float())
