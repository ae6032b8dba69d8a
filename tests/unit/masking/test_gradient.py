"""The gradient of two draws, each the other's baseline, is that of the exact bound: by enumeration."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor

from fakes.masking import every, exact_bound, quadrature
from xpflow.masking.alpha import Alpha
from xpflow.masking.bound import integrand, loss_of_two, nll_of
from xpflow.masking.schedule import LearnedSchedule, make_schedule

LENGTH, SIZE = 2, 2


class Tables:
    """A denoiser, forward scores and reverse scores, each a table with a gradient."""

    def __init__(self, schedule: LearnedSchedule) -> None:
        generator = torch.Generator().manual_seed(0)
        masked = (SIZE + 1) ** LENGTH
        self.schedule = schedule
        self.words, self.there, self.back = (
            torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
            for shape in ((masked, LENGTH, SIZE), (SIZE**LENGTH, LENGTH), (masked, LENGTH))
        )

    def denoiser(self, ids_BL: Tensor, open_BL: Tensor) -> Tensor:
        return self.words.log_softmax(-1)[_number(ids_BL.masked_fill(open_BL, SIZE), SIZE + 1)]

    def forward(self, ids_BL: Tensor) -> Alpha:
        return self.schedule.of_scores(self.there[_number(ids_BL, SIZE)])

    def reverse(self, ids_BL: Tensor, open_BL: Tensor) -> Alpha:
        return self.schedule.of_scores(self.back[_number(ids_BL.masked_fill(open_BL, SIZE), SIZE + 1)])


def _number(ids_BL: Tensor, base: int) -> Tensor:
    return (ids_BL * base ** torch.arange(ids_BL.shape[1])).sum(-1)


@pytest.mark.parametrize("form", ["paper", "wide"])
@pytest.mark.parametrize("baseline", [True, False])
def test_two_draws_have_the_gradient_of_the_exact_bound(form: str, baseline: bool) -> None:
    """All pairs of masks, on a grid of times. Without the score term the order's gradient is another one."""
    schedule = make_schedule("learned", {"form": form})
    assert isinstance(schedule, LearnedSchedule)
    tables, ids_BL = Tables(schedule), every(LENGTH, SIZE)
    parameters = (tables.words, tables.there, tables.back)
    squeeze, nodes = 6, 12
    exact = exact_bound(tables.denoiser, tables.forward, tables.reverse, ids_BL, [0.0, 1.0], squeeze, nodes)
    wanted = torch.autograd.grad(exact.total_B.sum(), parameters)

    alpha, total = tables.forward(ids_BL), torch.zeros((), dtype=torch.float64)
    masks = [torch.tensor(m).expand(len(ids_BL), -1) for m in product((False, True), repeat=LENGTH)]
    for t, weight in zip(*quadrature([0.0, 1.0], nodes, squeeze), strict=True):
        t_B = t.expand(len(ids_BL))
        cost = [
            integrand(alpha, tables.reverse(ids_BL, m), t_B, m, nll_of(tables.denoiser(ids_BL, m), ids_BL))
            for m in masks
        ]
        q = [alpha.log_prob(t_B, m).exp().detach() for m in masks]
        for one, two in product(range(len(masks)), repeat=2):
            found_B = loss_of_two(alpha, t_B, (masks[one], masks[two]), (cost[one], cost[two]))
            if not baseline:
                found_B = (cost[one].total_B + cost[two].total_B) / 2
            total = total + weight * (q[one] * q[two] * found_B).sum()
    found = torch.autograd.grad(total, parameters)
    assert float(total.detach()) == pytest.approx(float(exact.total_B.detach().sum()), rel=1e-12)
    for name, a, b in zip(("words", "there", "back"), found, wanted, strict=True):
        assert b.abs().max() > 1e-3
        same = torch.allclose(a, b, rtol=1e-9, atol=1e-10)
        assert same == (baseline or name != "there"), name


def test_the_score_term_is_nothing_in_value() -> None:
    schedule = make_schedule("learned", {})
    assert isinstance(schedule, LearnedSchedule)
    tables, ids_BL = Tables(schedule), every(LENGTH, SIZE)
    alpha, t_B = tables.forward(ids_BL), torch.full((4,), 0.4, dtype=torch.float64)
    masks = torch.tensor([True, False]).expand(4, -1), torch.tensor([True, True]).expand(4, -1)
    parts = [
        integrand(alpha, tables.reverse(ids_BL, m), t_B, m, nll_of(tables.denoiser(ids_BL, m), ids_BL))
        for m in masks
    ]
    found_B = loss_of_two(alpha, t_B, (masks[0], masks[1]), (parts[0], parts[1]))
    assert torch.equal(found_B, (parts[0].total_B + parts[1].total_B) / 2)
