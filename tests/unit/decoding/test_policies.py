"""Policies: specs, the Beta policy's expectation against scipy, its density, its file."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats

from xpflow.decoding import ConfidencePolicy, ConstantPolicy, LearnedPolicy, PolicyShape, load_policy
from xpflow.decoding.policies.base import policy_features
from xpflow.decoding.policies.learned import beta_log_prob, kummer
from xpflow.errors import ArtifactError, DecodingError

RATIO = math.log(256)


def test_series_equals_scipy_over_the_whole_range():
    mu = torch.linspace(0.05, 0.95, 31, dtype=torch.float64)[:, None]
    kappa = torch.linspace(2, 50, 41, dtype=torch.float64)[None]
    expected = special.hyp1f1((mu * kappa).numpy(), np.broadcast_to(kappa, (31, 41)), RATIO)
    ours = kummer(mu * kappa, kappa.expand(31, 41), RATIO)
    assert ours.numpy() == pytest.approx(expected, rel=1e-12)
    single = kummer((mu * kappa).float(), kappa.expand(31, 41).float(), RATIO)
    assert single.numpy() == pytest.approx(expected, rel=2e-6)


@pytest.mark.parametrize(("kappa", "expected"), [(5.0, 0.1135), (50.0, 0.0674)])
def test_expectation_is_the_integral_of_a_under_the_beta(kappa, expected):
    density = stats.beta(0.5 * kappa, 0.5 * kappa)
    integral, _ = integrate.quad(lambda y: 2.0 ** (-8 + 8 * y) * density.pdf(y), 0, 1)
    series = kummer(torch.tensor(0.5 * kappa), torch.tensor(kappa), RATIO) / 256
    assert float(series) == pytest.approx(integral, rel=1e-5)
    assert float(series) == pytest.approx(expected, abs=1e-4)


def test_reading_b_is_the_step_of_the_mean():
    policy, features = LearnedPolicy(), torch.rand(2, 3, 8)
    mu, _ = policy.mean_concentration(features)
    reading_a = policy(features)
    assert torch.allclose(policy.with_expectation("B")(features), 2 ** (-8 + 8 * mu))
    assert (reading_a > policy(features)).all()


def test_log_prob_is_the_beta_density():
    mu, kappa, y = torch.tensor(0.3), torch.tensor(7.0), torch.tensor(0.42)
    expected = stats.beta(2.1, 4.9).logpdf(0.42)
    assert float(beta_log_prob(mu, kappa, y)) == pytest.approx(expected, abs=1e-5)


@torch.no_grad()
def test_draws_follow_the_expectation_and_their_seed():
    policy = LearnedPolicy()
    features = torch.rand(1, 1, 8).expand(1, 20000, 8)
    one = policy.draw(features, torch.Generator().manual_seed(1))
    two = policy.draw(features, torch.Generator().manual_seed(1))
    assert torch.equal(one.y_BM, two.y_BM)
    assert float(one.a_BM.mean()) == pytest.approx(float(policy(features)[0, 0]), rel=0.05)
    assert (one.a_BM >= 1 / 256).all()
    assert (one.a_BM <= 1).all()


def test_saved_policy_comes_back_with_equal_bytes(tmp_path):
    policy = LearnedPolicy(PolicyShape(width=16), generator=torch.Generator().manual_seed(4))
    policy.save(tmp_path / "a.safetensors", seed=4)
    back = load_policy(tmp_path / "a.safetensors")
    back.save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    features = torch.rand(2, 3, 8)
    assert torch.equal(policy(features), back(features))
    assert back.notes == {"seed": 4}


def test_the_default_policy_has_about_4900_parameters():
    assert sum(p.numel() for p in LearnedPolicy().parameters()) == 4866


def test_specs():
    assert load_policy("constant:0.3") == ConstantPolicy(0.3)
    assert load_policy("confidence:8") == ConfidencePolicy(8.0)


@pytest.mark.parametrize(
    "spec", ["constant", "constant:x", "constant:1.5", "confidence:-1", "konstant:0.3", "no.file"]
)
def test_a_bad_spec_says_what_to_do(spec):
    with pytest.raises(DecodingError) as caught:
        load_policy(spec)
    assert caught.value.hint


def test_a_wrong_file_is_an_artifact_error(tmp_path):
    (tmp_path / "p.safetensors").write_bytes(b"nothing")
    with pytest.raises(ArtifactError, match=r"p\.safetensors"):
        load_policy(tmp_path / "p.safetensors")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_policy_with_a_weight_that_is_not_finite_is_named_with_its_tensor(tmp_path, value):
    policy = LearnedPolicy(PolicyShape(width=16), generator=torch.Generator().manual_seed(4))
    name, weights = next(iter(policy.state_dict().items()))
    weights.view(-1)[3] = value
    policy.save(tmp_path / "p.safetensors")
    with pytest.raises(ArtifactError, match=rf"p\.safetensors: tensor {name} has values that are not finite"):
        load_policy(tmp_path / "p.safetensors")


def test_features_are_probabilities_entropy_margin_progress_and_time():
    logits = torch.log(torch.tensor([[[0.5, 0.2, 0.2, 0.05, 0.05]]]))
    features = policy_features(logits, torch.tensor([[0.4]]), torch.tensor([0.25]))[0, 0]
    q = np.array([0.5, 0.2, 0.2, 0.05]) / 0.95
    entropy = -(q * np.log(q)).sum() / math.log(4)
    assert features.tolist() == pytest.approx([0.5, 0.2, 0.2, 0.05, entropy, 0.3, 0.4, 0.25], abs=1e-6)
