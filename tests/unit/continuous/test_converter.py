"""The converter: half a mask where z is 0, the ordinary embedding where s is large, and back from a file."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from xpflow.continuous.converter import Converter
from xpflow.continuous.soft_mask import CENTER, SLOPE, SoftMask
from xpflow.noise import Gaussian, ManyMasks, OneMask

V, E, MASK = 50, 24, 49


@pytest.fixture(scope="module")
def table() -> Tensor:
    """Return embeddings."""
    return torch.randn(V, E, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def converter(table: Tensor) -> Converter:
    """Return a converter with codes of width 8."""
    return Converter.fresh(table, OneMask(MASK), 8, seed=1)


def test_nothing_seen_is_half_a_mask_also_after_training(converter: Converter) -> None:
    with torch.no_grad():
        converter.beta.fill_(1.7)
        converter.weight.normal_()
    shares = converter.shares(torch.zeros(3, 8), sharpness=2.0)
    torch.testing.assert_close(shares[:, -1], torch.full((3,), 0.5))
    torch.testing.assert_close(shares[:, :-1], torch.full((3, V), 0.5 / V))


def test_a_clean_code_of_large_s_is_the_ordinary_embedding_bit_for_bit(
    converter: Converter, table: Tensor
) -> None:
    assert torch.equal(converter(1e4 * converter.codes), table)


def test_without_training_it_is_the_posterior_mean_of_token_or_mask(
    converter: Converter, table: Tensor
) -> None:
    """Of V tokens and V times a mask, all as likely and seen as z, by their densities at any s."""
    z = torch.randn(8, generator=torch.Generator().manual_seed(2))
    likelihood = [math.exp(float(z @ code)) for code in converter.codes]
    weights = torch.tensor([*likelihood, float(V)])
    mean = (weights / weights.sum()) @ torch.cat((table, table[MASK : MASK + 1]))
    torch.testing.assert_close(converter(z), mean)


@pytest.mark.parametrize(
    ("noise", "mask"),
    [
        (OneMask(3), lambda t: t[3]),
        (ManyMasks((3, 5)), lambda t: (t[3] + t[5]) / 2),
        (Gaussian(), lambda t: 0 * t[0]),
    ],
)
def test_the_mask_slot_holds_the_mean_of_what_open_places_start_with(noise, mask, table: Tensor) -> None:
    found = Converter.fresh(table, noise, 8, seed=1)
    torch.testing.assert_close(found.weight[-1], mask(table))


def test_it_comes_back_from_its_state(converter: Converter) -> None:
    with torch.no_grad():
        converter.beta.fill_(1.3)
        converter.bias.fill_(0.2)
    z = torch.randn(5, 8)
    again = Converter.of_state(converter.state_dict())
    assert torch.equal(again(z), converter(z))
    into = Converter.fresh(converter.weight[:-1], OneMask(MASK), 8, seed=2)  # whose codes are others
    assert not torch.equal(into(z), converter(z))
    into.load_state_dict(converter.state_dict())
    assert torch.equal(into(z), converter(z))
    assert torch.equal(again.snr_max, converter.snr_max)


def test_a_soft_mask_starts_at_half_of_the_published_sigmoid() -> None:
    entropy = torch.tensor([0.0, 0.75, 3.0])
    expected = 0.5 * torch.sigmoid(SLOPE * (-entropy - CENTER))
    torch.testing.assert_close(SoftMask()(entropy), expected)
    torch.testing.assert_close(SoftMask()(torch.tensor([0.75])), torch.tensor([0.25]))


def test_a_soft_mask_whose_logit_is_minus_infinity_is_none() -> None:
    scalars = SoftMask()
    with torch.no_grad():
        scalars.logit.fill_(-torch.inf)
    assert torch.equal(scalars(torch.rand(9)), torch.zeros(9))


def test_a_soft_mask_cannot_die() -> None:
    """Pushed down for long, it is above 0 with a gradient and comes back; a clamped scale does not."""

    def clamped(entropy: Tensor) -> Tensor:
        return scale.clamp(0, 1) * torch.sigmoid(SLOPE * (-entropy - CENTER))

    scale, scalars = torch.nn.Parameter(torch.tensor([0.5])), SoftMask()
    entropy, ends = torch.tensor([0.1, 0.4]), []
    for weigh, parameters in ((clamped, [scale]), (scalars, list(scalars.parameters()))):
        optimizer = torch.optim.AdamW(parameters, lr=0.01, weight_decay=0.0)
        for step in range(1600):
            loss = weigh(entropy).sum() if step < 300 else -weigh(entropy).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            assert weigh is clamped or float(weigh(entropy).detach().min()) > 0
        ends.append(float(weigh(entropy).detach().mean()))
    assert ends[0] == 0.0
    assert ends[1] > 0.5
