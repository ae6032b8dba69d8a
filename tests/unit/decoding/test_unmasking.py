"""Learned unmasking: the same learner as flow's, with a binary action."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from xpflow.decoding import decode, settings_from
from xpflow.decoding.policies.learned import LearnedPolicy, PolicyShape
from xpflow.decoding.policies.load import load_policy
from xpflow.errors import DecodingError

N = 16


def run(model, prompts, name, policy=None, **values):
    chosen = settings_from(name, {"gen_length": N, **values})
    return decode(model, prompts, chosen, policy, seeds=range(len(prompts)))


def committing(logit: float = 0.0) -> LearnedPolicy:
    """A policy that commits every token with one chance."""
    policy = LearnedPolicy(PolicyShape(width=4, action="commit"))
    with torch.no_grad():
        policy.head.weight.zero_()
        policy.head.bias.fill_(logit)
    return policy


@pytest.mark.parametrize("block", [0, 8])
def test_a_chance_that_grows_with_confidence_is_a_threshold(make_model, prompts, block):
    model = make_model(seed=5, scale=3, block_length=block)
    found = run(model, prompts, "unmasking", policy="confidence:2", budget="1/2")
    plain = run(model, prompts, "threshold", threshold=0.5**0.5, budget="1/2")
    assert torch.equal(found.tokens, plain.tokens)
    assert torch.equal(found.nfe, plain.nfe)


def test_where_nothing_is_committed_the_likeliest_mask_is(make_model, prompts):
    model = make_model(seed=5, scale=3)
    assert (run(model, prompts, "unmasking", committing(-5.0)).nfe == N).all()
    assert (run(model, prompts, "unmasking", committing(5.0)).nfe == 1).all()


def test_coins_are_the_rows_own(make_model, prompts):
    model, policy = make_model(seed=5, scale=1), committing(-1.0)
    values = {"policy_temperature": 1.0}
    together = run(model, prompts, "unmasking", policy, **values)
    alone = decode(
        model, prompts[2:3], settings_from("unmasking", {"gen_length": N, **values}), policy, seeds=[2]
    )
    assert together.tokens[2].tolist() == alone.tokens[0].tolist()
    assert 1 < together.nfe.float().mean() < N


def test_a_draw_has_its_density_and_gradients_reach_the_chance():
    policy, features = committing(0.3), torch.rand(3, 5, 8)
    action = policy.draw(features, torch.Generator().manual_seed(0))
    assert set(action.y_BM.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(action.a_BM, action.y_BM)
    p = torch.sigmoid(torch.tensor(0.3)).item()
    wanted = action.y_BM * torch.tensor(p).log() + (1 - action.y_BM) * torch.tensor(1 - p).log()
    torch.testing.assert_close(action.log_prob_BM, wanted)
    policy.log_prob(features, action.y_BM).sum().backward()
    assert policy.head.bias.grad[0] == pytest.approx(float((action.y_BM - p).sum()), abs=1e-4)


def test_a_policy_is_saved_with_its_action_and_one_that_steps_as_before(tmp_path):
    for action, name in product(("step", "commit"), ("a", "b")):
        LearnedPolicy(PolicyShape(width=4, action=action)).save(tmp_path / f"{action}-{name}.safetensors")
    assert load_policy(tmp_path / "commit-a.safetensors").shape.action == "commit"
    assert b"action" not in (tmp_path / "step-a.safetensors").read_bytes()


def test_a_policy_of_the_other_kind_is_refused(make_model, prompts):
    with pytest.raises(
        DecodingError, match="gives step sizes, as flow takes them: unmasking needs one that commits"
    ):
        run(make_model(), prompts, "unmasking", LearnedPolicy())
