"""The viewer's JSON says of every decode what its trace says, and no text in it gets out of its page."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch

from fakes.decoding import EVERY, REMASKING, every_case
from xpflow.decoding import decode, load_traces, save_traces, settings_from
from xpflow.decoding.candidates import CHANCES, IDS
from xpflow.errors import DataError
from xpflow.traces.viewer import embedded, texts_of, viewer_data, viewer_page

N = 16
HOSTILE = "</script><img src=x onerror=alert(1)><!-- &amp; \u2028 \x1b[2J \ud800 {{ 7*7 }}"


def text(token: int) -> str:
    return f"t{token}"


def traced(model, prompts, decoder="flow", candidates=3, **values):
    settings = settings_from(decoder, {"gen_length": N, "budget": "1/2", **values})
    return decode(model, prompts, settings, trace=True, candidates=candidates).trace[0]


def expanded(steps: list[list[int]], length: int) -> np.ndarray:
    """Return a column `[L, R]` from its changes, as the page does."""
    now, lines = np.zeros(length, int), []
    for step in steps:
        now = now.copy()
        now[step[::2]] = step[1::2]
        lines.append(now)
    return np.stack(lines)


@every_case
@pytest.mark.parametrize("block_length", [0, 8])
def test_what_the_viewer_gets_is_what_the_trace_holds(make_model, prompts, name, values, block_length):
    trace = traced(make_model(seed=3, block_length=block_length), prompts[:1], name, **values)
    data = json.loads(json.dumps(viewer_data(trace, text)))
    column = {key: expanded(steps, data["length"]) for key, steps in data["columns"].items()}
    shown = np.array([*data["texts"], ""])
    tokens = np.array([[text(token) for token in line] for line in trace.tokens])
    open_ = trace.is_open(trace.tokens)
    assert (column["tokens"] == -1).tolist() == open_.tolist()
    assert (shown[column["tokens"]] == tokens)[~open_].all()
    assert np.abs(column["t"] / 100 - trace.t).max() < 0.0101
    assert ((column["t"] == 100) <= (trace.t > 0.999)).all()
    read = np.isfinite(trace.c)
    assert ((column["c"] >= 0) == read).all()
    assert np.abs(column["c"] / 100 - trace.c)[read].max() < 0.0101
    for event in data["events"]:
        assert (column[f"event:{event['name']}"] == trace.arrays[event["name"]]).all()
    assert {event["name"] for event in data["events"]} == {one.name for one in trace.events if one.label}
    assert data["nfe"] == trace.head["nfe"] == data["steps"]


@every_case
def test_the_best_candidate_is_the_prediction_with_its_confidence(make_model, prompts, name, values):
    trace = traced(make_model(seed=3), prompts[:1], name, **values)
    ids, chances = trace.arrays[IDS], trace.arrays[CHANCES]
    read = np.isfinite(trace.c)
    assert ids.shape == (*trace.tokens.shape, 3)
    drawn = trace.head["settings"].get("temperature", 0) > 0
    if not drawn and name not in {
        "credit",
        "drafts",
    }:  # they read other logits than the forward's (first) ones
        assert (ids[..., 0] == trace.prediction)[read].all()
        if "random" not in values.values():
            assert chances[..., 0][read] == pytest.approx(trace.c[read], abs=1e-5)
    assert (np.diff(chances, axis=-1) <= 0).all()
    if trace.head["settings"]["suppress"] != "none":
        assert not np.isin(ids[read], trace.head["noise_ids"]).any()


@pytest.mark.parametrize("ending", ["npz", "jsonl"])
def test_candidates_are_kept_in_files_and_without_them_nothing_is_other(
    make_model, prompts, ending, tmp_path
):
    with_, without = (traced(make_model(seed=3), prompts[:1], candidates=count) for count in (3, 0))
    save_traces(tmp_path / f"t.{ending}", [with_, without])
    read, plain = load_traces(tmp_path / f"t.{ending}")
    assert (read.arrays[IDS] == with_.arrays[IDS]).all()
    assert read.arrays[CHANCES] == pytest.approx(with_.arrays[CHANCES])
    assert not {IDS, CHANCES} & {*plain.arrays, *plain.head["dtypes"]}
    for name, array in plain.arrays.items():
        np.testing.assert_array_equal(array, with_.arrays[name])
    assert viewer_data(plain, text)["candidates"] == []


def test_512_tokens_over_512_steps_stay_small(make_model):
    model = make_model()
    model.places = torch.nn.Embedding(600, 24).double()
    trace = traced(model, [[3, 4]], "mask_prediction", candidates=0, gen_length=512, budget="1/8")
    # The steps of a whole decode at full budget, as if each were eight: decoding them takes a minute.
    trace.arrays = {name: np.repeat(array, 8, axis=0) for name, array in trace.arrays.items()}
    trace.block, trace.step = np.repeat(trace.block, 8), np.arange(512)
    data = viewer_data(trace, text)
    assert data["steps"] == data["length"] == 512
    assert len(json.dumps(data)) < 4_000_000
    assert expanded(data["columns"]["tokens"], 512)[-1].min() >= 0


def test_decodes_of_other_lengths_stand_on_one_page(make_model, prompts):
    model = make_model(seed=3)
    several = [traced(model, prompts[:1], name) for name in EVERY]
    assert len({trace.steps for trace in several}) > 1
    page = viewer_page([viewer_data(trace, text) for trace in several], "Several")
    [stored] = re.findall(r'id="data">(.*?)</script>', page, flags=re.DOTALL)
    assert [data["steps"] for data in json.loads(stored)] == [trace.steps for trace in several]


def test_hostile_texts_stay_text(make_model, prompts):
    trace = traced(make_model(seed=3), prompts[:1], REMASKING)
    data = viewer_data(trace, lambda token: HOSTILE, prompt=HOSTILE, answer=HOSTILE, label=HOSTILE)
    page = viewer_page([data], HOSTILE)
    page.encode()
    assert page.count("<script") == page.count("</script") == 3
    assert "<img" not in page
    assert "<!--" not in page
    [stored] = re.findall(r'id="data">(.*?)</script>', page, flags=re.DOTALL)
    assert json.loads(stored)[0]["prompt"] == HOSTILE
    assert not re.search("[<>&\u2028\u2029]", str(embedded({"a": "<>&\u2028\u2029"})))


def test_a_page_forbids_requests_before_anything_else(make_model, prompts):
    page = viewer_page([viewer_data(traced(make_model(seed=3), prompts[:1]), text)], "Page")
    policy, first = page.index("default-src 'none'"), page.index("<style")
    assert policy < first
    assert not re.findall(r"(?:src|href)=[\"'](?!data:)", page)
    assert "http" not in page.replace("http-equiv", "")


def test_texts_of_a_trace_and_of_none(make_model, prompts):
    trace = traced(make_model(seed=3), prompts[:1])
    assert texts_of(trace) is None
    trace.head |= {"texts": {"5": "five"}, "special_ids": [5]}
    found = texts_of(trace)
    assert found is not None
    assert (found[0](5), found[0](6), found[1]) == ("five", "<6>", [5])


def test_a_trace_without_steps_is_refused(make_model, prompts):
    trace = traced(make_model(seed=3), prompts[:1])
    trace.step = trace.step[:0]
    with pytest.raises(DataError, match="no steps"):
        viewer_data(trace, text)
