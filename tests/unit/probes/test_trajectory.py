"""Trajectories: states are those that the model saw, distances by hand, and who is on their way."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from xpflow.decoding import decode, settings_from
from xpflow.errors import DecodingError
from xpflow.probes.trajectory import as_row, embedded, follow, visited
from xpflow.probes.validity import answer_length

GRID = (0.0, 0.5, 1.0)


def test_a_state_is_its_tokens_and_the_rest_mask() -> None:
    table = torch.tensor([[1.0, 0.0], [0.0, 1.0], [4.0, 4.0]])
    x = embedded([{}, {0: 0.25, 1: 0.5}], np.array([0.0, 0.75]), table, table[2])
    assert x.tolist() == [[4.0, 4.0], [1.25, 1.5]]


@pytest.mark.parametrize("block_length", [0, 8])
def test_states_are_those_that_the_model_saw(make_model, prompts, block_length) -> None:
    model, seen = make_model(block_length=block_length), []
    settings = settings_from("flow", {"gen_length": 16, "budget": "1/4", "kv_cache": "off"})
    forward = model.forward

    def spy(**inputs):
        seen.append(inputs["inputs_embeds"].clone())
        return forward(**inputs)

    model.forward = spy
    [trace] = decode(model, prompts[:1], settings, trace=True).trace
    from xpflow.decoding.decoders.flow_replay import states

    table = model.get_input_embeddings().weight.detach()
    start = len(prompts[0])
    for step, state in enumerate(states(trace)):
        if step == trace.steps:
            break
        here = trace.open[step]
        x = embedded(state.mixture, state.t, table, table[model.config.mask_token_id])
        saw = seen[step][0, start : start + len(here)]
        assert torch.allclose(x[: len(saw)][here[: len(saw)]], saw[here[: len(saw)]].double(), atol=1e-5)


def test_where_a_prediction_never_changes_all_states_lie_on_their_segment(flows) -> None:
    model, traces = flows()
    table = model.get_input_embeddings().weight.detach()
    found = 0
    for trace in traces:
        one = follow(trace, table, table[model.config.mask_token_id], [0, 1, 2, 3, 99], GRID)
        wrote = trace.arrays["move"] | trace.arrays["commit"] | trace.arrays["reedit"]
        other = wrote & (trace.prediction != np.array(trace.head["tokens"]))
        steady = not other[:, : answer_length(trace.head["tokens"], 1)].any()
        assert (max(one.off_S) < 1e-6) == steady
        assert one.off_S[0] == 0.0  # all masks
        assert one.t_S[0] == 0.0
        assert one.t_S[4] == one.final_t
        found += not steady
        row = as_row(one)
        assert row["off_at"] == pytest.approx(one.off_S, rel=1e-5)
    assert found


def test_only_places_on_their_way_are_visited() -> None:
    trace = SimpleNamespace(
        steps=2,
        head={"settings": {"commit_below": 0.99}},
        open=np.array([[True, True, True, True], [True, True, True, False]]),
        t=np.array([[0.2, 0.995, 0.6, 0.3], [1.0, 1.0, 1.0, 0.3]], np.float32),
        c=np.array([[0.05, 1.0, 0.5, 0.5], [0.95, 0.2, 0.31, np.nan]], np.float32),
    )
    # first reading: all at t = 0; second: 0.2 (to 0), 0.6 (to 0.5); the one of 0.995 is done, the last closed
    assert visited(trace, 4, GRID) == {(0, 0): 1, (0, 9): 2, (0, 5): 2, (1, 3): 1}
    assert visited(trace, 1, GRID) == {(0, 0): 1, (0, 9): 1}


def test_soft_predictions_cannot_be_followed(flows) -> None:
    model, [trace, *_] = flows(prediction="soft")
    table = model.get_input_embeddings().weight.detach()
    with pytest.raises(DecodingError, match="hard predictions"):
        follow(trace, table, table[36], [0], GRID)
