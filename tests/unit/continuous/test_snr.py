"""Grids and laws of s, and Heun's step on mixtures whose answer is known."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from xpflow.continuous.heun import ahead, corrected
from xpflow.continuous.snr import SnrLaw, noise_of_steps, snr_grid, steps_of


@pytest.mark.parametrize(
    ("steps", "parts"),
    [(2, (1, 1, 0)), (4, (1, 3, 0)), (8, (1, 7, 0)), (16, (1, 14, 1)), (32, (1, 28, 3)), (64, (3, 57, 4))],
)
def test_the_published_grid_has_its_counts_and_meeting_points(
    steps: int, parts: tuple[int, int, int]
) -> None:
    grid = snr_grid(steps, 100.0)
    assert len(grid) == steps + 1 == sum(parts) + 1
    first, second, third = parts
    assert [grid[0], grid[first], grid[first + second]] == pytest.approx([0.01, 7, 74])
    assert grid[-1] == pytest.approx(100 if third else 74)
    assert grid == sorted(grid)
    for start, count in ((0, first), (first, second), (first + second, third)):
        ratios = [grid[start + i + 1] / grid[start + i] for i in range(count)]
        assert ratios == pytest.approx(ratios[:1] * count)


def test_a_grid_scales_with_s_max_and_one_step_is_ours() -> None:
    assert snr_grid(8, 60.0) == pytest.approx([0.6 * s for s in snr_grid(8, 100.0)])
    assert snr_grid(1, 100.0) == pytest.approx([0.01, 74])


def test_a_budget_of_forwards_makes_true_forwards() -> None:
    """Two forwards a step and one to read: 2 and 4 cost the same."""
    assert [2 * steps_of(budget) + 1 for budget in (2, 4, 8, 16, 32, 64)] == [5, 5, 9, 17, 33, 65]
    scales = [noise_of_steps(steps_of(budget)) for budget in (2, 8, 16, 32, 64)]
    assert scales == [
        0.1,
        0.1,
        0.05,
        0.01,
        0.005,
    ]


def test_the_law_is_what_it_says() -> None:
    response = torch.ones(4000, 12, dtype=torch.bool)
    response[:, 9:] = False
    law, generator = SnrLaw(), torch.Generator().manual_seed(0)
    ratio = law.draw(response, generator)[:, :9]
    nearly = (ratio < 0.01).any(-1) & ((ratio < 0.01) | (ratio >= 0.8)).all(-1)
    assert float(nearly.double().mean()) == pytest.approx(0.1, abs=0.02)
    revealed = (ratio[nearly] >= 0.8).sum(-1)
    assert sorted(set(revealed.tolist())) == list(range(9))  # never all of them
    assert float(ratio[nearly].max()) <= 1.0
    free = ratio[~nearly] * 100
    assert float(free.max()) == pytest.approx(40.0)
    assert float(free.median().log()) == pytest.approx(1.69, abs=0.02)
    below = free.log()[free < 40]
    expected = 0.5 * (1 + math.erf(-1 / math.sqrt(2)))  # P(log s < mean - std)
    assert float((below < 1.69 - 0.9).sum() / free.numel()) == pytest.approx(expected, abs=0.01)


def test_the_law_can_be_only_one_of_its_parts() -> None:
    response, generator = torch.ones(50, 8, dtype=torch.bool), torch.Generator().manual_seed(0)
    masks = SnrLaw(any_order=1.0).draw(response, generator)
    assert bool(((masks < 0.01) | (masks >= 0.8)).all())
    same = SnrLaw(any_order=0.0, mean=1.0, std=0.0).draw(response, generator)
    torch.testing.assert_close(same, torch.full_like(same, math.e / 100))


def walk(y: Tensor, grid: list[float], noise: float = 0.0, seed: int = 0) -> Tensor:
    """Walk y along a grid for a token that is +1 or -1, equally likely: x(z) = tanh(z)."""
    generator = torch.Generator().manual_seed(seed)
    for first, second in pairwise(grid):
        s, s_next = torch.tensor(first).to(y), torch.tensor(second).to(y)
        kick = noise * (s_next - s).sqrt() * torch.randn(y.shape, generator=generator, dtype=y.dtype)
        x = torch.tanh(s * y)
        guess = ahead(y, x, s, s_next, kick)
        y = corrected(y, x, guess, torch.tanh(s_next * guess), s, s_next, kick)
    return y


def test_heun_is_of_second_order_on_a_mixture_with_a_closed_form() -> None:
    """dz/ds = tanh z has sinh z(s) = sinh z(s_0) exp(s - s_0)."""
    start, end = 0.5, 3.0
    z = torch.linspace(-2, 2, 9, dtype=torch.float64)
    exact = torch.asinh(torch.sinh(z) * math.exp(end - start))
    errors = []
    for steps in (8, 16, 32, 64):
        grid = [start + (end - start) * i / steps for i in range(steps + 1)]
        errors.append(float((walk(z / start, grid) * end - exact).abs().max()))
    orders = [math.log2(a / b) for a, b in pairwise(errors)]
    assert orders[-1] == pytest.approx(2.0, abs=0.15)
    assert errors[-1] < 1e-3


def test_with_all_its_noise_it_is_the_localisation_process() -> None:
    """z at s is s x + W(s): E z^2 = s^2 + s, and |z| has the density of a folded pair of Gaussians."""
    start, end, steps, rows = 0.2, 4.0, 200, 20_000
    generator = torch.Generator().manual_seed(1)
    sign = torch.randint(2, (rows,), generator=generator).double() * 2 - 1
    z = start * sign + math.sqrt(start) * torch.randn(rows, generator=generator, dtype=torch.float64)
    grid = [start * (end / start) ** (i / steps) for i in range(steps + 1)]
    found = walk(z / start, grid, noise=1.0) * end
    assert float(found.square().mean()) == pytest.approx(end**2 + end, rel=0.03)
    assert float(found.mean()) == pytest.approx(0.0, abs=0.15)
    assert float((found.abs() < end / 2).double().mean()) == pytest.approx(
        0.5 * (math.erf(-1 / math.sqrt(2)) - math.erf(-3 / math.sqrt(2))), abs=0.02
    )
