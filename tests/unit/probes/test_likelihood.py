"""Likelihood by passes: what is known of it exactly, on fake models of both kinds."""

from __future__ import annotations

from math import log
from types import SimpleNamespace

import pytest
import torch

from xpflow.decoding import settings_from
from xpflow.probes.likelihood import cross_entropies, likelihood_rows
from xpflow.probes.validity import Subject
from xpflow.training.corruption import masked
from xpflow.training.examples import Batch, Example

N, DRAWS = 16, 5
both = pytest.mark.parametrize("block_length", [0, 8])
SUBJECTS = [
    Subject(f"task/{number}", Example((3, 4, 5)[: number + 1], tuple(range(6, 6 + N)))) for number in range(3)
]


def soft(**values):
    return settings_from("soft_tokens", {"gen_length": N, "geometry": "linear", **values})


def corrupted(model):
    clean = Batch.of([SUBJECTS[1].example] * DRAWS, model.config.pad_token_id)
    return masked(clean, model, torch.Generator().manual_seed(3))


@both
def test_a_model_that_knows_nothing_needs_n_log_v_after_every_pass(make_model, block_length) -> None:
    model = make_model(block_length=block_length)
    forward, size = model.forward, model.config.vocab_size
    model.forward = lambda **inputs: SimpleNamespace(logits=0 * forward(**inputs).logits)
    rows = likelihood_rows(model, SUBJECTS, 3, DRAWS, soft(weight=0.5))
    assert [row["passes"] for row in rows] == [1, 2, 3] * len(SUBJECTS)
    assert [row["nats"] for row in rows] == pytest.approx([N * log(size)] * len(rows), rel=1e-9)


@both
def test_plain_masks_have_one_pass_which_is_the_first_of_any(make_model, block_length) -> None:
    model = make_model(block_length=block_length, scale=3)
    plain = likelihood_rows(model, SUBJECTS, 3, DRAWS, None)
    mixed = likelihood_rows(model, SUBJECTS, 3, DRAWS, soft(weight=0.5))
    assert plain == [row for row in mixed if row["passes"] == 1]
    assert plain != likelihood_rows(model, SUBJECTS, 1, DRAWS, None, seed=1)
    assert plain[1:2] == likelihood_rows(model, SUBJECTS[1:2], 1, DRAWS, None)  # no answer depends on others


def test_without_weight_further_passes_change_nothing(make_model) -> None:
    model = make_model(scale=3)
    first, second, third = cross_entropies(model, corrupted(model), 3, soft(weight=0.0))
    assert torch.equal(first, second)
    assert torch.equal(first, third)


@both
def test_one_token_of_full_weight_feeds_the_last_argmax_in_either_state(make_model, block_length) -> None:
    model = make_model(block_length=block_length, scale=3)
    batch = corrupted(model)
    _, second, third = cross_entropies(model, batch, 3, soft(weight=1.0, top=1))
    best = model(**batch.inputs).logits.argmax(-1)
    fed = batch.reading(torch.where(batch.mask_BK, best, batch.ids_BK), batch.mask_BK)
    log_p = model(**fed.inputs).logits.log_softmax(-1)
    torch.testing.assert_close(second, -log_p.gather(-1, batch.target_BK[..., None])[..., 0])
    again = cross_entropies(model, batch, 3, soft(weight=1.0, top=1, state="persistent"))
    torch.testing.assert_close(again[2], third)


def test_a_persistent_state_moves_on_from_what_it_showed(make_model) -> None:
    model = make_model(scale=3)
    batch = corrupted(model)
    anew, kept = (
        cross_entropies(model, batch, 3, soft(weight=0.5, state=state))
        for state in ("recomputed", "persistent")
    )
    torch.testing.assert_close(anew[1], kept[1])  # both start from the mask
    assert not torch.allclose(anew[2][batch.mask_BK], kept[2][batch.mask_BK], rtol=1e-3)
