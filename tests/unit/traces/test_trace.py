"""Traces: any state follows from the recorded events, and a file brings back what was saved."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from xpflow.decoding import decode, load_traces, save_traces, settings_from
from xpflow.errors import ArtifactError, DecodingError
from xpflow.traces.replay import check, replay

N = 16


def traces(model, prompts, decoder="flow", **values):
    settings = settings_from(decoder, {"gen_length": N, "budget": "1/2", **values})
    return decode(model, prompts, settings, trace=True).trace


@pytest.mark.parametrize("block_length", [0, 8])
@pytest.mark.parametrize(
    ("decoder", "values"),
    [
        ("flow", {"policy": "confidence:2"}),
        ("flow", {"policy": "constant:0.7", "update_order": "reedit_first"}),
        ("flow", {"policy": "constant:0.7", "reedit_t": "before", "near_one": "snap"}),
        ("flow", {"policy": "confidence:1", "at_one": "move", "readout": "last_prediction"}),
        ("mask_prediction", {}),
        ("threshold", {"threshold": 0.6}),
    ],
)
def test_every_state_follows_from_the_events(make_model, prompts, decoder, values, block_length):
    model = make_model(seed=3, block_length=block_length)
    for trace in traces(model, prompts, decoder, **values):
        check(trace)
        assert trace.steps == trace.head["nfe"]


@torch.no_grad()
def test_a_replayed_state_gives_the_recorded_prediction(make_model, prompts):
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


@pytest.mark.parametrize("name", ["t.npz", "t.jsonl"])
def test_files_round_trip(make_model, prompts, tmp_path, name):
    saved = traces(make_model(seed=3, block_length=8), prompts)
    save_traces(tmp_path / name, saved)
    for one, two in zip(saved, load_traces(tmp_path / name), strict=True):
        assert one.head == two.head
        for key, array in one.arrays.items():
            np.testing.assert_array_equal(array, two.arrays[key])


def test_a_changed_trace_is_found_out(make_model, prompts):
    trace = traces(make_model(seed=3), prompts[:1], policy="constant:0.3")[0]
    trace.arrays["t"][2, 5] += 0.1
    with pytest.raises(DecodingError, match="step 2"):
        check(trace)


def test_errors_name_the_file_and_the_step(make_model, prompts, tmp_path):
    trace = traces(make_model(seed=3), prompts[:1])[0]
    with pytest.raises(DecodingError, match="99"):
        replay(trace, 99)
    with pytest.raises(ArtifactError, match=r"x\.npz"):
        load_traces(tmp_path / "x.npz")
