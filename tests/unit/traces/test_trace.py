"""Traces: any state follows from the recorded events, and what was changed by hand is found out.

What holds for every decoder is in tests/property/test_decoding.py.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fakes.decoding import EVERY, REMASKING, every_case, every_decoder
from xpflow.decoding import decode, load_traces, settings_from
from xpflow.decoding.decoders import DECODERS
from xpflow.errors import ArtifactError, DecodingError
from xpflow.traces.replay import check, replay
from xpflow.traces.view import Watcher, views

N = 16


def traces(model, prompts, decoder="flow", **values):
    settings = settings_from(decoder, {"gen_length": N, "budget": "1/2", **values})
    return decode(model, prompts, settings, trace=True).trace


@torch.no_grad()
def test_a_replayed_flow_state_gives_the_recorded_prediction(make_model, prompts):
    """Rebuild the embeddings of a step from the mixture and run the model on them."""
    model = make_model(seed=3)
    mask = model.embed.weight[model.config.mask_token_id]
    for trace in traces(model, prompts[:3], policy="confidence:2"):
        for step in (0, 3, trace.steps - 1):
            x = replay(trace, step).embeddings(model.embed.weight, mask)
            prompt = model.embed(torch.tensor(trace.head["prompt"]))
            logits = model(inputs_embeds=torch.cat((prompt, x))[None]).logits[0, -N:, :-1]
            assert logits.argmax(-1).tolist() == trace.prediction[step].tolist()
            assert logits.softmax(-1).amax(-1).numpy() == pytest.approx(trace.c[step], abs=1e-4)


def test_effective_tokens_are_one_for_a_committed_token(make_model, prompts):
    trace = traces(make_model(seed=3), prompts[:1])[0]
    end = replay(trace, trace.steps)
    committed = trace.commit[-1]
    assert end.effective_tokens()[committed] == pytest.approx(1.0)


def test_a_reopened_position_is_noise_again_until_it_is_written(make_model, prompts):
    found = traces(make_model(seed=3, scale=2), prompts, REMASKING)
    reopened = [(trace, *place) for trace in found for place in np.argwhere(trace.remask)]
    assert reopened
    for trace, step, place in reopened:
        state = replay(trace, step + 1)
        assert trace.is_open(state.tokens)[place]
        assert state.t[place] == 0
        assert trace.commit[step + 1 :, place].any()


@every_case
@pytest.mark.parametrize("block_length", [0, 8])
def test_a_live_view_shows_what_the_trace_shows(make_model, prompts, name, values, block_length):
    live, model = [], make_model(seed=3, block_length=block_length)
    settings = settings_from(name, {"gen_length": N, "budget": "1/2", **values})
    result = decode(model, prompts[:1], settings, trace=True, observer=Watcher(N, live.append))
    for one, two in zip(live, views(result.trace[0]), strict=True):
        assert one.step == two.step
        np.testing.assert_array_equal(one.t, two.t[:N])
        decided = ~result.trace[0].is_open(two.tokens[:N])
        np.testing.assert_array_equal(one.tokens[decided], two.tokens[:N][decided])
        for event in result.trace[0].events:
            np.testing.assert_array_equal(one.events[event.name], two.events[event.name][:N])


@every_decoder
@pytest.mark.parametrize("column", ["t", "tokens", "prediction"])
def test_a_changed_trace_is_found_out(make_model, prompts, name, column):
    values = dict(DECODERS[name].examples[0])
    trace = traces(make_model(seed=3), prompts[:1], name, **values)[0]
    step, place = np.argwhere(trace.commit)[0]
    trace.arrays[column][step, place] += 1
    with pytest.raises(DecodingError, match=f"step {step}"):
        check(trace)


@every_decoder
def test_a_changed_answer_is_found_out(make_model, prompts, name):
    trace = traces(make_model(seed=3), prompts[:1], name, **dict(DECODERS[name].examples[0]))[0]
    trace.head["tokens"][2] += 1
    with pytest.raises(DecodingError, match="answer"):
        check(trace)


def test_an_event_outside_the_block_is_found_out(make_model, prompts):
    for name in EVERY:
        trace = traces(make_model(seed=3), prompts[:1], name, block_length=8)[0]
        trace.arrays["commit"][0, N - 1] = True
        with pytest.raises(DecodingError, match="step 0"):
            check(trace)


def test_errors_name_the_file_and_the_step(make_model, prompts, tmp_path):
    trace = traces(make_model(seed=3), prompts[:1])[0]
    with pytest.raises(DecodingError, match="99"):
        replay(trace, 99)
    (tmp_path / "x.jsonl").write_text("[1]\n")
    for name in ("x.npz", "x.jsonl"):
        with pytest.raises(ArtifactError, match=name):
            load_traces(tmp_path / name)
