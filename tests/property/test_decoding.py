"""Properties of every decoder in the table and its examples, over random models, prompts and budgets."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies
from torch import Tensor

from fakes.decoding import EVERY, case_id, every_case, every_decoder
from fakes.models import FakeModel
from xpflow.decoding import decode, load_traces, save_traces, settings_from
from xpflow.decoding.blocks import block_rows, make_block, make_schedule
from xpflow.decoding.canvas import make_canvas, model_facts
from xpflow.decoding.decoders import DECODERS
from xpflow.decoding.entry import DecodeSettings
from xpflow.decoding.samples import decode_samples
from xpflow.decoding.stepper import Setup
from xpflow.noise import RowRandom
from xpflow.traces.replay import check, states

N, MASK = 16, 36
ids = strategies.integers(3, 35)
prompts = strategies.lists(ids, min_size=1, max_size=18)
batches = strategies.lists(prompts, min_size=1, max_size=5)
budgets = strategies.sampled_from(["1/1", "1/2", "1/4", "1/8"])
seeds = strategies.integers(0, 5)
blocks = strategies.sampled_from([0, 8])
few = settings(max_examples=8, deadline=None, derandomize=True)


def model_of(seed: int, block_length: int) -> FakeModel:
    return FakeModel(seed=seed, block_length=block_length).double().eval()


def settings_of(name: str, values: dict, **more: object) -> DecodeSettings:
    return settings_from(name, {"gen_length": N, **more, **values})


def most_forwards(model: FakeModel, batch: list[list[int]], chosen: DecodeSettings) -> list[int]:
    """Return the NFE that a decoder declares as its bound: its caps over all blocks of a row."""
    facts, random = model_facts(model), RowRandom(range(len(batch)), torch.device("cpu"))
    schedule = make_schedule(chosen, facts)
    stepper = DECODERS[chosen.decoder].make(Setup(model, chosen, facts, schedule, random))
    canvas = make_canvas(batch, range(len(batch)), chosen, facts, random)
    total_B, number = torch.zeros(len(batch), dtype=torch.long), 0
    while len(rows := block_rows(canvas, schedule, number)):
        total_B[rows] += stepper.cap(make_block(canvas.take(rows), schedule, number))
        number += 1
    return total_B.tolist()


@every_case
@given(batch=batches, budget=budgets, seed=seeds, block=blocks)
@few
def test_tokens_do_not_depend_on_batch_order_or_padding(name, values, batch, budget, seed, block):
    model, chosen = model_of(seed, block), settings_of(name, values, budget=budget)
    whole = decode(model, batch, chosen, seeds=range(len(batch)))
    turned = decode(model, batch[::-1], chosen, seeds=range(len(batch))[::-1])
    alone = [decode(model, [prompt], chosen, seeds=[row]) for row, prompt in enumerate(batch)]
    assert whole.tokens.tolist() == turned.tokens.tolist()[::-1]
    assert whole.nfe.tolist() == turned.nfe.tolist()[::-1]
    assert whole.tokens.tolist() == [result.tokens[0].tolist() for result in alone]
    assert whole.nfe.tolist() == [int(result.nfe[0]) for result in alone]


@every_case
@given(batch=batches, budget=budgets, seed=seeds, block=blocks)
@few
def test_every_forward_is_counted_within_the_declared_bound_and_nothing_stays_open(
    name, values, batch, budget, seed, block
):
    model, chosen = model_of(seed, block), settings_of(name, values, budget=budget)
    result = decode(model, batch, chosen)
    assert model.rows == int(result.cost.rows_B.sum())
    for nfe, most in zip(result.nfe.tolist(), most_forwards(model, batch, chosen), strict=True):
        assert 1 <= nfe <= most
    assert not (result.tokens == MASK).any()


@every_decoder
@given(batch=batches, budget=budgets, seed=seeds)
@few
def test_a_fixed_nfe_keeps_to_the_budget(name, batch, budget, seed):
    entry = DECODERS[name]
    chosen = settings_of(name, dict(entry.examples[0]), budget=budget)
    result = decode(model_of(seed, 0), batch, chosen)
    assert entry.nfe != "fixed" or (result.nfe <= chosen.steps).all()


class Watched(FakeModel):
    """A fake that keeps what it was shown."""

    def forward(self, input_ids: Tensor | None = None, inputs_embeds: Tensor | None = None, **rest: object):
        self.shown.append((self.embed(input_ids) if inputs_embeds is None else inputs_embeds).clone())
        return super().forward(input_ids=input_ids, inputs_embeds=inputs_embeds, **rest)


def watched(seed: int, block: int = 0) -> Watched:
    model = Watched(seed=seed, block_length=block).double().eval()
    model.shown = []
    return model


@every_case
@given(prompt=prompts, seed=seeds, block=blocks)
@few
def test_the_prompt_is_never_changed(name, values, prompt, seed, block):
    model = watched(seed, block)
    decode(model, [prompt], settings_of(name, values, budget="1/2"))
    clean = model.embed(torch.tensor(prompt))
    assert all(torch.equal(row, clean) for shown in model.shown for row in shown[:, : len(prompt)])


@every_case
@given(batch=batches, budget=budgets, seed=seeds, block=blocks)
@few
def test_every_trace_replays_step_by_step_to_the_answer(name, values, batch, budget, seed, block):
    model, chosen = model_of(seed, block), settings_of(name, values, budget=budget)
    result = decode(model, batch, chosen, trace=True)
    assert result.tokens.tolist() == decode(model, batch, chosen).tokens.tolist()
    for trace in result.trace:
        check(trace)
        assert trace.steps == trace.head["nfe"]
        assert trace.steps + 1 == len(list(states(trace)))
        assert {event.name for event in DECODERS[name].events} <= trace.arrays.keys()


@every_decoder
@pytest.mark.parametrize("ending", ["npz", "jsonl"])
def test_traces_come_back_from_files(name, ending, tmp_path):
    chosen = settings_of(name, dict(DECODERS[name].examples[0]), budget="1/4")
    saved = decode(model_of(1, 8), [[5, 6], [7] * 11], chosen, trace=True).trace
    save_traces(tmp_path / f"t.{ending}", saved)
    for one, two in zip(saved, load_traces(tmp_path / f"t.{ending}"), strict=True):
        assert one.head == two.head
        assert one.arrays.keys() == two.arrays.keys()
        for key, array in one.arrays.items():
            np.testing.assert_array_equal(array, two.arrays[key])
            assert array.dtype == two.arrays[key].dtype


@every_case
@given(batch=batches, seed=seeds, block=blocks, n=strategies.integers(2, 3))
@few
def test_shards_together_are_the_whole(name, values, batch, seed, block, n):
    model, chosen = model_of(seed, block), settings_of(name, values, budget="1/2", batch_size=2)
    items = [(f"task/{row}", prompt) for row, prompt in enumerate(batch)]

    def rows(k: int, n: int) -> list[dict]:
        return decode_samples(model, lambda _, tokens: str(tokens), items, chosen, shard=(k, n))[0]

    parts = [row for k in range(1, n + 1) for row in rows(k, n)]
    assert sorted(parts, key=lambda row: row["task_id"]) == rows(1, 1)


@every_case
def test_settings_come_back_from_json(name, values):
    chosen = settings_of(name, values, budget="3/16")
    again = json.loads(json.dumps(chosen.model_dump(mode="json")))
    assert settings_from(name, again) == chosen


@every_decoder
def test_a_label_shows_what_the_entry_says(name):
    entry = DECODERS[name]
    assert entry.title
    assert entry.label() == entry.label([{}], "none")
    assert entry.label([{}], "constant:0.5").startswith(entry.title)
    for switch in entry.switches:
        assert settings_from(name, {switch.setting: False}) != settings_from(name)
        assert entry.label([{switch.setting: False}]) == f"{entry.label()}, {switch.off}"
    for shown in entry.shown:
        assert entry.label([{}, {shown: 0.25}, {shown: 0.5}, {shown: 0.25}]).endswith("0.25 or 0.5")
    names = [event.name for event in entry.events]
    assert len(names) == len(set(names))


def test_titles_tell_decoders_apart():
    assert len({DECODERS[name].title for name in EVERY}) == len(EVERY)


@pytest.mark.parametrize("name", [name for name in EVERY if DECODERS[name].knob], ids=case_id)
@pytest.mark.parametrize("seed", [0, 4])
def test_the_mean_nfe_follows_the_knob(name, seed):
    knob, model = DECODERS[name].knob, FakeModel(seed=seed, scale=3.0).double().eval()
    batch = [[5, 6, 7], [8] * 9, [9, 10]]
    tried = [knob.low + (knob.high - knob.low) * share / 6 for share in range(7)]
    tried = list(dict.fromkeys(round(value) if knob.whole else value for value in tried))
    nfe = [int(decode(model, batch, settings_of(name, {knob.setting: value})).nfe.sum()) for value in tried]
    assert nfe == sorted(nfe, reverse=not knob.rises)
    assert nfe[0] != nfe[-1]


@given(
    prompt=prompts,
    policy=strategies.sampled_from(
        ["confidence:1", "confidence:4", "constant:0.1", "constant:0.9", "constant:1"]
    ),
    options=strategies.sampled_from(
        [{}, {"at_one": "move"}, {"near_one": "snap"}, {"update_order": "reedit_first"}]
    ),
    budget=budgets,
    seed=seeds,
)
@settings(max_examples=12, deadline=None, derandomize=True)
def test_a_flow_state_is_a_mixture_of_tokens_and_mask_with_mass_t(prompt, policy, options, budget, seed):
    """x = sum A_v e_v + (1 - t) m with A >= 0 and sum A_v = t, at every step; t in [0, 1]."""
    model = watched(seed)
    values = {"gen_length": N, "policy": policy, "budget": budget, **options}
    trace = decode(model, [prompt], settings_from("flow", values), trace=True).trace[0]
    assert (trace.t >= 0).all()
    assert (trace.t <= 1).all()
    for shown, state in zip(model.shown, states(trace), strict=False):
        assert all(weight >= 0 for mixture in state.mixture for weight in mixture.values())
        mass = [sum(mixture.values()) for mixture in state.mixture]
        assert mass == pytest.approx(state.t, abs=1e-5)
        x = state.embeddings(model.embed.weight, model.embed.weight[MASK])
        assert torch.allclose(x, shown[0, len(prompt) :], atol=1e-5)
