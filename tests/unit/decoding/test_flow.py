"""flow: the exact degenerate cases, the order of a step, its switches and its fixed-point stop."""

from __future__ import annotations

import pytest
import torch

from xpflow.decoding import ConstantPolicy, decode, settings_from
from xpflow.decoding.decoders.flow_steps import FlowState, Reading, commit, move, reedit

N = 16


def run(model, prompts, policy=None, **values):
    return decode(model, prompts, settings_from("flow", {"gen_length": N, **values}), policy, trace=True)


@pytest.mark.parametrize("block", [8, 16])
@pytest.mark.parametrize("k", [1, 2, 4])
def test_zero_steps_without_reediting_are_k_token_unmasking(make_model, prompts, block, k):
    """Degenerate cases (i) and (ii)."""
    model = make_model(seed=5)
    common = {"budget": f"1/{k}", "block_length": block}
    flow = run(model, prompts, ConstantPolicy(0.0), reedit=False, commits_per_step=k, **common)
    settings = settings_from("mask_prediction", {"gen_length": N, "suppress": "mask", **common})
    assert flow.tokens.tolist() == decode(model, prompts, settings).tokens.tolist()


def test_zero_steps_are_unmasking_for_block_causal_models(make_model, prompts):
    model = make_model(block_length=8, seed=5)
    flow = run(model, prompts, ConstantPolicy(0.0), reedit=False, commits_per_step=2, budget="1/2")
    settings = settings_from("mask_prediction", {"gen_length": N, "suppress": "mask", "budget": "1/2"})
    expected = decode(model, prompts, settings)
    assert flow.tokens.tolist() == expected.tokens.tolist()
    assert flow.nfe.tolist() == expected.nfe.tolist()


@torch.no_grad()
def test_full_steps_without_commits_are_jacobi_iteration(make_model, prompts):
    """Degenerate case (iii): all tokens are replaced by the argmax at once, again and again."""
    model = make_model(seed=8)
    result = run(model, prompts, ConstantPolicy(1.0), commit=False, reedit=False, at_one="move", budget="1/2")
    for row, prompt in enumerate(prompts):
        x = torch.tensor([prompt + [model.config.mask_token_id] * N])
        for _ in range(8):
            x[0, -N:] = model(input_ids=x).logits[0, -N:, :-1].argmax(-1)
        assert result.tokens[row].tolist() == x[0, -N:].tolist()


@torch.no_grad()
def test_synchronous_constant_steps_are_euler_of_the_ode(make_model, prompts):
    """Degenerate case (iv): the velocity form with its 1/(1 - t), written out."""
    model, a, steps = make_model(seed=9), 0.2, 8
    table, mask_id = model.embed.weight, model.config.mask_token_id
    result = run(model, prompts, ConstantPolicy(a), commit=False, reedit=False, budget="1/2")
    for row, prompt in enumerate(prompts):
        embeds = table[torch.tensor([prompt + [mask_id] * N])]
        t = 0.0
        for _ in range(steps):
            ids = model(inputs_embeds=embeds).logits[0, -N:, :-1].argmax(-1)
            velocity = (table[ids] - embeds[0, -N:]) / (1 - t)
            dt = a * (1 - t)
            embeds = embeds.clone()
            embeds[0, -N:] += velocity * dt
            t += dt
        assert result.tokens[row].tolist() == ids.tolist()
        assert result.trace[row].t[-1] == pytest.approx(t)


def test_a_step_flows_then_reedits_then_commits():
    """One position each: flows, is re-edited, is committed, is held at t = 1."""
    torch.manual_seed(0)
    table = torch.eye(5)
    m = table[4]
    x = torch.stack((m, 0.5 * table[0] + 0.5 * m, m, table[2]))[None]
    state = FlowState(
        x,
        torch.tensor([[0.0, 0.5, 0.0, 1.0]]),
        torch.tensor([[4, 0, 4, 2]]),
        torch.zeros(1, 4) > 0,
        m[None, None],
        torch.zeros(1) > 0,
        torch.zeros(1) > 0,
    )
    ids = torch.tensor([[0, 1, 3, 1]])
    reading = Reading(table[ids], ids, torch.tensor([[0.6, 0.3, 0.9, 0.95]]))
    free = torch.tensor([[True, True, True, False]])
    moved = move(state, reading, torch.full((1, 4), 0.5), free)
    assert moved.t_BM.tolist() == [[0.5, 0.75, 0.5, 1.0]]
    assert moved.x_BME[0, 1].tolist() == [0.25, 0.5, 0.0, 0.0, 0.25]
    assert moved.held_BM.tolist() == [[0, 1, 3, 2]]
    edited = reedit(moved, reading, torch.tensor([[False, True, False, False]]))
    assert edited.t_BM[0, 1] == pytest.approx(0.3)
    assert edited.x_BME[0, 1].tolist() == pytest.approx([0.0, 0.3, 0.0, 0.0, 0.7])
    done = commit(edited, reading, torch.tensor([[False, False, True, False]]))
    assert done.t_BM[0].tolist() == pytest.approx([0.5, 0.3, 1.0, 1.0])
    assert done.x_BME[0, 2].tolist() == table[3].tolist()
    assert done.x_BME[0, 3].tolist() == table[2].tolist()


@pytest.mark.parametrize("policy", ["confidence:1", "confidence:8", "constant:1.0"])
@pytest.mark.parametrize(
    "options", [{}, {"reedit_committed": False}, {"at_one": "move"}, {"readout": "last_prediction"}]
)
@pytest.mark.parametrize("block_length", [0, 8])
def test_fixed_point_stop_changes_no_token(make_model, prompts, policy, options, block_length):
    model = make_model(seed=3, block_length=block_length, scale=12)
    early = run(model, prompts, policy, **options)
    late = run(model, prompts, policy, stop_at_fixed_point=False, **options)
    assert early.tokens.tolist() == late.tokens.tolist()
    assert (early.nfe <= late.nfe).all()


def test_fixed_point_stop_saves_forwards_on_a_model_that_settles(make_model, prompts):
    model = make_model(seed=3, scale=12)
    with torch.no_grad():
        model.layers[0].weight.mul_(0.2)
        model.layers[1].weight.mul_(0.2)
    early = run(model, prompts, ConstantPolicy(1.0))
    assert int(early.nfe.sum()) < N * len(prompts)


def test_ablations_switch_their_event_off(make_model, prompts):
    model = make_model(seed=3)
    full = run(model, prompts, policy="constant:0.5")
    assert any(trace.commit.any() for trace in full.trace)
    assert any(trace.reedit.any() for trace in full.trace)
    assert not any(t.commit.any() for t in run(model, prompts, policy="constant:0.5", commit=False).trace)
    assert not any(t.reedit.any() for t in run(model, prompts, policy="constant:0.5", reedit=False).trace)


@pytest.mark.parametrize(
    "option",
    [
        {"update_order": "reedit_first"},
        {"reedit_t": "before"},
        {"reedit_committed": False},
        {"at_one": "move"},
        {"near_one": "snap"},
        {"readout": "nearest"},
        {"readout": "last_prediction"},
        {"readout": "extra_forward"},
        {"prediction": "soft"},
        {"prediction": "top", "soft_top": 2},
        {"suppress": "special"},
        {"rho": "global"},
        {"commit_below": 0.5},
    ],
)
@pytest.mark.parametrize("block_length", [0, 8])
def test_every_open_point_runs_and_keeps_its_budget(make_model, prompts, option, block_length):
    model = make_model(seed=4, block_length=block_length)
    result = run(model, prompts, **{"policy": "confidence:2", "budget": "1/2", **option})
    blocks = 1 if not block_length else 3
    most = 8 if not block_length else 12
    assert (result.nfe <= most + blocks * (option == {"readout": "extra_forward"})).all()
    assert not (result.tokens == model.config.mask_token_id).any()


def test_extra_forward_is_counted(make_model, prompts):
    model = make_model(seed=4)
    plain = run(model, prompts, budget="1/4", stop_at_fixed_point=False)
    extra = run(model, prompts, budget="1/4", stop_at_fixed_point=False, readout="extra_forward")
    assert (extra.nfe == plain.nfe + 1).all()


@pytest.mark.parametrize("block_length", [0, 8])
def test_the_extra_forward_reads_what_a_model_says_of_the_last_state(make_model, prompts, block_length):
    """It moves nothing: the tokens are the argmax of one more forward over the state that the steps left."""
    model = make_model(seed=4, block_length=block_length)
    result = run(model, prompts, budget="1/4", readout="extra_forward")
    for trace in result.trace:
        last = [step for step in range(trace.steps) if trace.read[step].any()]
        assert len(last) == len(set(trace.block.tolist()))
        for step in last:
            assert trace.tokens[step][trace.read[step]].tolist() == (
                trace.prediction[step][trace.read[step]].tolist()
            )
            assert not (trace.move[step] | trace.commit[step] | trace.reedit[step]).any()


def test_recorder_sees_every_policy_decision(make_model, prompts):
    from xpflow.decoding import LearnedPolicy

    model, seen = make_model(seed=4), []
    policy = LearnedPolicy()
    sampled = policy.sampling(torch.Generator().manual_seed(1))
    settings = settings_from("flow", {"gen_length": N, "budget": "1/2"})
    result = decode(model, prompts, settings, sampled, recorder=seen.append, trace=True)
    assert sum(len(step.info.rows_B) for step in seen) == int(result.nfe.sum())
    for step in seen:
        assert step.features_BM8.shape == (*step.info.active_BM.shape, 8)
        again = policy.log_prob(step.features_BM8, step.action.y_BM)
        assert torch.allclose(again, step.action.log_prob_BM)
        assert torch.equal(policy.step_size(step.action.y_BM), step.action.a_BM)
    row = int(seen[0].info.rows_B[0])
    assert result.trace[row].a[0] == pytest.approx(seen[0].action.a_BM[0].float().numpy())
