"""Snaps: the first is mask prediction, the last the decode's own answer, those between keep what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from xpflow.decoding import decode, settings_from
from xpflow.errors import DecodingError
from xpflow.probes.recovery import decided, finish, snap_steps, snapped

FULL = {"gen_length": 16, "budget": "1/1", "batch_size": 3}
BLOCKS = [0, 8]


def test_steps_are_shared_out_from_none_to_all() -> None:
    assert snap_steps(8, 8) == list(range(9))
    assert snap_steps(8, 4) == [0, 2, 4, 6, 8]
    assert snap_steps(3, 8)[0] == 0
    assert snap_steps(3, 8)[-1] == 3


@pytest.mark.parametrize("block_length", BLOCKS)
def test_a_snap_before_the_first_step_is_mask_prediction_at_full_budget(flows, prompts, block_length) -> None:
    model, traces = flows(block_length)
    settings = settings_from("mask_prediction", FULL)
    wanted = decode(model, prompts, settings)
    seeds = [0] * len(prompts)
    for snaps in ([snapped(trace, 0, 0.5) for trace in traces], None):
        tokens, nfe = finish(model, prompts, snaps, settings, seeds)
        assert torch.equal(tokens, wanted.tokens)
        assert torch.equal(nfe, wanted.nfe)


@pytest.mark.parametrize("block_length", BLOCKS)
@pytest.mark.parametrize("bound", [0.0, 0.5, 1.0])
def test_a_snap_after_the_last_step_is_the_decodes_own_answer(flows, prompts, block_length, bound) -> None:
    model, traces = flows(block_length)
    hard = [snapped(trace, trace.steps, bound) for trace in traces]
    tokens, nfe = finish(model, prompts, hard, settings_from("mask_prediction", FULL), [0] * len(prompts))
    assert tokens.tolist() == [trace.head["tokens"] for trace in traces]
    assert nfe.tolist() == [0] * len(prompts)


def test_between_tokens_stay_where_t_is_large_enough_and_the_others_are_masks(flows, prompts) -> None:
    model, traces = flows()
    seen = set()
    for trace in traces:
        hard = snapped(trace, 2, 0.5)
        kept = trace.t[1] >= 0.5
        assert (hard[kept] == trace.tokens[1][kept]).all()
        assert (hard[~kept] == model.config.mask_token_id).all()
        seen |= set(kept.tolist())
    assert seen == {True, False}
    tokens, nfe = finish(
        model, prompts, [snapped(t, 2, 0.5) for t in traces], settings_from("mask_prediction", FULL), [0] * 8
    )
    for trace, row, passes in zip(traces, tokens.numpy(), nfe.tolist(), strict=True):
        hard = snapped(trace, 2, 0.5)
        fixed = hard != model.config.mask_token_id
        assert (row[fixed] == hard[fixed]).all()
        assert passes == (~fixed).sum()  # one mask a forward


def test_a_bound_of_0_keeps_everything_and_a_larger_one_keeps_less(flows) -> None:
    _, traces = flows()
    for trace in traces:
        assert decided(trace, 1, 0.0).all()
        counts = [int(decided(trace, 1, bound).sum()) for bound in (0.0, 0.3, 0.9, 1.0)]
        assert counts == sorted(counts, reverse=True)


def test_blocks_that_are_over_are_decided_whatever_their_t(flows) -> None:
    _, traces = flows(8)
    trace = next(trace for trace in traces if len(set(trace.block.tolist())) > 1)
    first = int(np.flatnonzero(trace.block != trace.block[0])[0])
    over = trace.open[:first].any(axis=0)
    assert decided(trace, first, 1.0)[over].all()
    assert decided(trace, first + 1, 1.0)[over].all()


def test_a_step_that_is_not_there_is_an_error(flows) -> None:
    _, [trace, *_] = flows()
    with pytest.raises(DecodingError, match="steps, not"):
        decided(trace, trace.steps + 1, 0.5)
