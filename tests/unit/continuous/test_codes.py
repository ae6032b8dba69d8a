"""Unit codes and s_max: the posterior is free of s, and the error at s_max is what it was asked to be."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from xpflow.continuous.codes import largest_snr, noisy_code, thresholds, unit_codes


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def codes() -> Tensor:
    """Return codes of 300 tokens."""
    return unit_codes(300, 12, generator())


def test_codes_have_length_one(codes: Tensor) -> None:
    torch.testing.assert_close(codes.norm(dim=-1), torch.ones(300))


@pytest.mark.parametrize("s", [0.3, 5.0, 80.0])
def test_the_posterior_does_not_depend_on_s(s: float, codes: Tensor) -> None:
    """Bayes' rule with the densities of N(s e, s) is the softmax of <z, e>, whatever s is."""
    codes = codes.double() / codes.double().norm(dim=-1, keepdim=True)
    prior = torch.rand(300, generator=generator(1), dtype=torch.float64) + 0.1
    z = noisy_code(codes, torch.tensor([7]), torch.tensor([s]).double(), torch.randn(1, 12).double())
    log_density = -(z - s * codes).square().sum(-1) / (2 * s)
    exact = (log_density + prior.log()).softmax(-1)
    torch.testing.assert_close((z @ codes.T + prior.log()).softmax(-1)[0], exact, atol=1e-12, rtol=1e-9)


def error_at(codes: Tensor, s: float, draws: int, seed: int) -> float:
    ids = torch.randint(len(codes), (draws,), generator=generator(seed))
    noise = torch.randn(draws, codes.shape[1], generator=generator(seed + 1))
    z = noisy_code(codes, ids, torch.full((draws,), s), noise)
    return float(((z @ codes.T).argmax(-1) != ids).double().mean())


def test_every_draw_is_read_rightly_beyond_its_threshold_and_wrongly_below(codes: Tensor) -> None:
    needed = thresholds(codes, generator(3), 400)
    again = generator(3)
    ids = torch.randint(300, (400,), generator=again)
    noise = torch.randn(400, 12, generator=again)
    for scale, right in ((1.001, True), (0.999, False)):
        some = needed > 0  # others are right at every s
        z = noisy_code(codes, ids, needed * scale, noise)
        assert bool((((z @ codes.T).argmax(-1) == ids) == right)[some].all())


@pytest.mark.parametrize("error", [1e-2, 1e-3])
def test_s_max_is_the_smallest_s_with_that_error(error: float, codes: Tensor) -> None:
    """On draws of its own; a binomial error rate has a relative deviation of 1 / sqrt(error * draws)."""
    found = largest_snr(codes, generator(5), error)
    assert error_at(codes, found, 400_000, 9) == pytest.approx(error, rel=0.6)
    assert error_at(codes, 0.8 * found, 100_000, 9) > 1.5 * error
    assert found == float(f"{found:.3g}")


def test_wider_codes_are_told_apart_earlier() -> None:
    found = [largest_snr(unit_codes(1024, width, generator()), generator(1)) for width in (16, 32, 48)]
    assert found == sorted(found, reverse=True)
