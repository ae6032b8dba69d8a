"""The Monte-Carlo likelihood against enumeration: every masking of a short target, weighted as Eq. 6 says."""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import Any

import pytest
import torch

from fakes.models import FakeModel
from xpflow.errors import DecodingError
from xpflow.harness import likelihood
from xpflow.harness.likelihood import MonteCarlo, draw_masks, log_likelihood, segments

PROMPT, TARGET = [3, 4, 5], [6, 7, 8]
MASK = 36


def masked_log_probability(
    model: FakeModel, whole: list[int], places: tuple[int, ...], open_end: int = 0
) -> float:
    """Return the summed log-probability of the masked places; `open_end` masks stand behind the text."""
    noisy = [MASK if place in places else token for place, token in enumerate(whole)] + [MASK] * open_end
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([noisy])).logits[0].double().log_softmax(-1)
    return sum(float(logits[place, whole[place]]) for place in places)


def exact(model: FakeModel, prompt: list[int], target: list[int], open_end: int = 0) -> float:
    """Return Eq. 6 by enumeration: l is uniform on 1..L, and so is the set of l places."""
    length, whole = len(target), prompt + target
    places = range(len(prompt), len(whole))
    total = 0.0
    for count in range(1, length + 1):
        for chosen in combinations(places, count):
            weight = length / count / length / comb(length, count)
            total += weight * masked_log_probability(model, whole, chosen, open_end)
    return total


def every_mask(length: int, draws: int, generator: torch.Generator) -> torch.Tensor:
    """Each number of masks equally often, each set of that number equally often: the expectation itself."""
    shares = [comb(length, count) for count in range(1, length + 1)]
    most = torch.tensor(shares).prod().item()
    rows = [
        [place in chosen for place in range(length)]
        for count, share in enumerate(shares, start=1)
        for chosen in combinations(range(length), count)
        for _ in range(most // share)
    ]
    assert len(rows) == draws
    return torch.tensor(rows)


def test_over_all_maskings_the_estimate_is_the_enumeration(monkeypatch: pytest.MonkeyPatch) -> None:
    model = FakeModel()
    monkeypatch.setattr(likelihood, "draw_masks", every_mask)
    found = log_likelihood(model, PROMPT, TARGET, MonteCarlo(27, 4), seed=0)
    assert found.log_likelihood == pytest.approx(exact(model, PROMPT, TARGET), rel=1e-5)
    assert (found.forwards, model.rows) == (27, 27 + 7)


def test_drawn_maskings_come_close_to_the_enumeration() -> None:
    model = FakeModel()
    found = [
        log_likelihood(model, PROMPT, TARGET, MonteCarlo(256, 256), seed).log_likelihood for seed in range(4)
    ]
    assert sum(found) / 4 == pytest.approx(exact(model, PROMPT, TARGET), rel=0.05)
    assert len(set(found)) == 4


def test_one_token_is_its_probability_behind_a_mask_however_few_are_drawn() -> None:
    model = FakeModel()
    expected = masked_log_probability(model, [*PROMPT, 9], (3,))
    found = log_likelihood(model, PROMPT, [9], MonteCarlo(3, 2), seed=5)
    assert found.log_likelihood == pytest.approx(expected, rel=1e-5)


def test_a_block_causal_model_is_the_sum_over_blocks_behind_clean_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Blocks of four: a prompt of three leaves one place, then a whole block, then two places of a block."""
    model, target = FakeModel(block_length=4), [6, 7, 8, 9, 10, 11, 12]
    draws = {1: 1, 2: 4, 4: 4 * 96}

    def all_of_them(length: int, _: int, generator: torch.Generator) -> torch.Tensor:
        return every_mask(length, draws[length], generator)

    monkeypatch.setattr(likelihood, "draw_masks", all_of_them)
    whole = PROMPT + target
    assert list(segments(3, 10, 4)) == [(3, 4), (4, 8), (8, 10)]
    expected, found = 0.0, 0.0
    for start, end, behind in ((3, 4, 0), (4, 8, 0), (8, 10, 2)):
        expected += exact(model, whole[:start], whole[start:end], behind)
        plan = MonteCarlo(draws[end - start], 64)
        found += log_likelihood(model, whole[:start], whole[start:end], plan, 0).log_likelihood
    assert found == pytest.approx(expected, rel=1e-5)


def test_a_target_over_blocks_is_scored_block_by_block() -> None:
    model, plan = FakeModel(block_length=4), MonteCarlo(2, 2)
    whole = [*PROMPT, 6]  # one place a block: no draw matters
    one = log_likelihood(model, PROMPT, [6], plan, 0).log_likelihood
    both = log_likelihood(model, PROMPT, [6, 7], plan, 0)
    rest = masked_log_probability(model, [*whole, 7], (4,), 3)
    assert both.log_likelihood == pytest.approx(one + rest, rel=1e-5)
    assert both.forwards == 4


@pytest.mark.parametrize("batch_size", [1, 3, 128])
def test_the_batch_size_and_other_requests_do_not_matter_and_the_seed_does(batch_size: int) -> None:
    model = FakeModel()
    plan, usual = MonteCarlo(16, batch_size), MonteCarlo(16, 16)
    here = log_likelihood(model, PROMPT, TARGET, plan, seed=1).log_likelihood
    assert here == pytest.approx(
        log_likelihood(model, PROMPT, TARGET, usual, seed=1).log_likelihood, rel=1e-5
    )
    assert here == log_likelihood(model, PROMPT, TARGET, plan, seed=1).log_likelihood
    assert here != log_likelihood(model, PROMPT, TARGET, plan, seed=2).log_likelihood


def test_numbers_of_masks_are_stratified_and_places_uniform() -> None:
    generator = torch.Generator().manual_seed(0)
    masks = draw_masks(5, 10, generator)
    assert torch.bincount(masks.sum(-1), minlength=6).tolist() == [0, 2, 2, 2, 2, 2]
    many = torch.cat([draw_masks(3, 1, generator) for _ in range(3000)])
    counts = torch.bincount(many.sum(-1), minlength=4)[1:] / 3000
    assert (counts - 1 / 3).abs().max() < 0.03
    assert (many.double().mean(0) - 2 / 3).abs().max() < 0.03


def change(**config: Any) -> FakeModel:
    model = FakeModel()
    for name, value in config.items():
        setattr(model.config, name, value)
    return model


def test_what_cannot_be_scored_is_an_error() -> None:
    plan = MonteCarlo(2, 2)
    with pytest.raises(DecodingError, match="no masked likelihood"):
        log_likelihood(change(noise="gaussian"), PROMPT, TARGET, plan, 0)
    with pytest.raises(DecodingError, match="prompt 0 is empty"):
        log_likelihood(FakeModel(), [], TARGET, plan, 0)
    with pytest.raises(DecodingError, match="5 positions"):
        log_likelihood(change(max_position_embeddings=5), PROMPT, TARGET, plan, 0)
    with pytest.raises(DecodingError, match="at least 1"):
        MonteCarlo(0, 1)
