"""What a decoder took back is counted as its trace shows it."""

from __future__ import annotations

import numpy as np
import pytest

from fakes.decoding import REMASKING, every_case
from xpflow.decoding import decode, settings_from
from xpflow.decoding.decoders import DECODERS
from xpflow.decoding.revisions import RevisionCounter
from xpflow.decoding.samples import decode_samples

N = 16


def by_hand(trace, decoder) -> dict[str, int]:
    """Count in a trace, place by place."""
    opening = [event.name for event in decoder.events if event.revises and event.effect == "open"]
    found = {"revised": 0, "remasked": 0, "flip_flops": 0}
    for place in range(trace.tokens.shape[1]):
        lost = None
        for step in range(trace.steps):
            found["revised"] += any(
                bool(trace.arrays[event.name][step, place]) for event in decoder.events if event.revises
            )
            written = any(
                bool(trace.arrays[event.name][step, place])
                for event in decoder.events
                if event.effect == "write" and not event.revises
            )
            if written and lost is not None:
                found["flip_flops"] += lost == trace.prediction[step, place]
                lost = None
            if any(bool(trace.arrays[name][step, place]) for name in opening):
                found["remasked"] += 1
                lost = (trace.prediction[step] if written else trace.tokens[step - 1])[place]
    return found if opening else {"revised": found["revised"]}


@every_case
def test_counts_are_those_of_the_trace(make_model, prompts, name, values):
    decoder = DECODERS[name]
    if not any(event.revises for event in decoder.events):
        pytest.skip("revises nothing")
    counter = RevisionCounter(3, decoder.events)
    chosen = settings_from(name, {"gen_length": N, "budget": "1/2", **values})
    result = decode(make_model(seed=5, scale=1), prompts[:3], chosen, trace=True, observer=counter)
    assert counter.columns() == [by_hand(trace, decoder) for trace in result.trace]


def test_some_remasked_tokens_come_back_as_they_were(make_model, prompts):
    chosen = settings_from(REMASKING, {"gen_length": N, **dict(DECODERS[REMASKING].examples[0])})
    counter = RevisionCounter(len(prompts), DECODERS[REMASKING].events)
    decode(make_model(seed=5, scale=3), prompts, chosen, observer=counter)
    assert 0 < int(counter.flip_flops.sum()) <= int(counter.remasked.sum())


def test_samples_say_it_of_decoders_that_revise(make_model, prompts):
    items = [(f"task/{number}", prompt) for number, prompt in enumerate(prompts[:2])]
    model = make_model(seed=5, scale=1)
    for name, there in (("threshold", False), ("token_to_mask", True), ("token_editing", True)):
        rows, _ = decode_samples(model, lambda task, ids: "", items, settings_from(name, {"gen_length": N}))
        assert all(("revised" in row) == there for row in rows)
        assert np.all([row["positions"] > row["rows"] == row["nfe"] for row in rows])
