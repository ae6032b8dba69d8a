"""The rules of decoders on their own: sets that grow, mixtures that keep their norm, marginals that stay."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fakes.decoding import CASES, case_id
from fakes.models import FakeModel
from fakes.published_decoders import within_entropy
from xpflow.decoding import decode, settings_from
from xpflow.decoding.axes.commits import above, at_least, by_entropy, by_factor, leftmost
from xpflow.decoding.axes.feedback import mixture, top_mean
from xpflow.decoding.axes.view import AxisState
from xpflow.decoding.blocks import make_schedule
from xpflow.decoding.canvas import model_facts
from xpflow.decoding.decoders.ancestral import Ancestral
from xpflow.decoding.decoders.latent_refinement import nucleus_mean
from xpflow.decoding.decoders.remix import nucleus_sum
from xpflow.decoding.stepper import Setup
from xpflow.noise import RowRandom

N = 16
DRAWN = torch.Generator().manual_seed(7)
TABLE = torch.rand(40, 9, generator=DRAWN).sqrt()  # confidences of 40 rows
ABLE = torch.rand(40, 9, generator=DRAWN) < 0.7
ABLE[:, 4] = True
C = TABLE.masked_fill(~ABLE, -torch.inf)
H = (-TABLE.log() * 2).masked_fill(~ABLE, 0.0)

RULES = {
    "factor": (lambda f: by_factor(C, f), [-1.0, 0.0, 0.3, 0.7, 1.0, 1.9, 10.0]),
    "factor, exempt": (lambda f: by_factor(C, f, exempt_last=True), [-1.0, 0.0, 0.3, 0.7, 1.0, 1.9, 10.0]),
    "entropy": (lambda gamma: by_entropy(C, H, ABLE, gamma), [-1.0, 0.0, 0.1, 0.5, 1.0, 5.0, 100.0]),
    "threshold": (lambda tau: above(C, 1 - tau), [0.0, 0.05, 0.1, 0.3, 0.6, 1.0]),
    "leftmost": (lambda tau: leftmost(ABLE, above(C, 1 - tau, strict=False)), [0.0, 0.1, 0.3, 0.6, 1.0]),
}


@pytest.mark.parametrize("name", sorted(RULES))
def test_what_is_committed_grows_with_the_knob_and_keeps_to_masks(name: str) -> None:
    """decoders.E6."""
    rule, knob = RULES[name]
    sets = [at_least(rule(value), C, 1, "lowest_index", None) for value in knob]
    for few, more in itertools.pairwise(sets):
        assert (few <= more).all()
    assert sets[0].any(-1).all()
    assert not (sets[-1] & ~ABLE).any()
    assert (sets[-1] == ABLE).all()
    assert len({int(one.sum()) for one in sets}) >= 4


OTHERWISE = (
    "flow",
    "composed_flow",
    "ancestral",
    "path_planning",
    "latent_refinement",
    "dsl",
)  # steps may commit nothing
TOGETHER = [one for one in CASES if one[0] not in OTHERWISE]


@pytest.mark.parametrize(("name", "values"), TOGETHER, ids=case_id)
@pytest.mark.parametrize("block", [0, 8])
def test_every_step_commits_a_mask_and_nothing_else(name, values, block, prompts) -> None:
    """decoders.E6, in a decode: one at least as long as there are any, and none that is a token."""
    model = FakeModel(seed=5, scale=3, block_length=block).double().eval()
    chosen = settings_from(name, {"gen_length": N, "budget": "1/2", **values})
    for trace in decode(model, prompts[:3], chosen, trace=True).trace:
        before = np.concatenate((np.zeros_like(trace.t[:1]), trace.t[:-1]))
        masks = trace.open & (before == 0)
        assert not (trace.commit & ~masks).any()
        assert (trace.commit.any(-1) | ~masks.any(-1)).all()


def test_the_public_factor_rule_exempts_the_last_mask() -> None:
    c = torch.tensor([[0.99, 0.99, 0.1], [0.99, 0.3, 0.1], [0.3, 0.1, -torch.inf], [0.2, *[-torch.inf] * 2]])
    assert by_factor(c, 1.0).sum(-1).tolist() == [2, 1, 0, 0]
    assert by_factor(c, 1.0, exempt_last=True).sum(-1).tolist() == [3, 1, 2, 1]


def test_an_entropy_s_own_maximum_is_another_rule() -> None:
    """A maximum over a batch of one, as in public code, lets fewer through out of order."""
    ranked, h = [0, 1, 2], {0: 0.4, 1: 0.0, 2: 0.3}
    assert (within_entropy(ranked, h, 0.1), within_entropy(ranked, h, 0.1, "own")) == ([0, 1], [0])
    h_BM = torch.tensor([[0.4, 0.0, 0.3]])
    found = by_entropy(torch.tensor([[3.0, 2.0, 1.0]]), h_BM, torch.ones(1, 3, dtype=torch.bool), 0.1)
    assert found.tolist() == [[True, True, False]]


@pytest.mark.parametrize("weight", [0.0, 0.1, 0.5, 1.0])
def test_a_spherical_mixture_has_the_mask_s_norm_and_its_share_of_the_angle(weight: float) -> None:
    """decoders.E8."""
    generator = torch.Generator().manual_seed(1)
    m, u = (torch.randn(1, 5, 12, generator=generator, dtype=torch.float64) for _ in range(2))
    x = mixture(m, 3 * u, torch.full((1, 5), weight, dtype=torch.float64), "spherical")
    unit = [one / one.norm(dim=-1, keepdim=True) for one in (m, u, x)]
    whole, part = (torch.arccos((unit[0] * one).sum(-1).clamp(-1, 1)) for one in unit[1:])
    assert torch.allclose(x.norm(dim=-1), m.norm(dim=-1))
    assert torch.allclose(part, weight * whole, atol=1e-7)
    rest = whole - torch.arccos((unit[1] * unit[2]).sum(-1).clamp(-1, 1))
    assert torch.allclose(rest, weight * whole, atol=1e-7)  # it lies between them


@pytest.mark.parametrize("geometry", ["linear", "at_norm", "spherical"])
def test_a_mixture_with_a_multiple_of_the_mask_points_where_the_mask_does(geometry) -> None:
    m = torch.randn(1, 3, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    x = mixture(m, 2 * m, torch.full((1, 3), 0.4, dtype=torch.float64), geometry)
    assert torch.allclose(x, (1.4 if geometry == "linear" else 1.0) * m)


def test_the_mean_of_one_token_is_its_embedding() -> None:
    generator = torch.Generator().manual_seed(3)
    p, table = torch.rand(2, 4, 30, generator=generator).softmax(-1), torch.randn(30, 6, generator=generator)
    assert torch.equal(top_mean(p, table, 1), table[p.argmax(-1)])


@pytest.mark.parametrize("scale", [0.1, 3.0, 30.0])
def test_remix_takes_the_likeliest_tokens_up_to_its_bound(scale: float) -> None:
    """decoders.E8: S is a prefix whose mass keeps to clamp(2 max p, 0.2, 0.9), or the best token alone."""
    generator = torch.Generator().manual_seed(4)
    p = (scale * torch.randn(2, 5, 60, generator=generator, dtype=torch.float64)).softmax(-1)
    table = torch.randn(60, 7, generator=generator, dtype=torch.float64)
    found, mass = nucleus_sum(p, table)
    for row, place in itertools.product(range(2), range(5)):
        order, bound = p[row, place].sort(descending=True), min(max(2 * float(p[row, place].max()), 0.2), 0.9)
        taken = max(1, int((order.values[:50].cumsum(-1) <= bound).sum()))
        assert torch.allclose(mass[row, place], order.values[:taken].sum())
        assert torch.allclose(found[row, place], order.values[:taken] @ table[order.indices[:taken]])


@pytest.mark.parametrize("scale", [0.1, 3.0, 30.0])
@pytest.mark.parametrize("top_p", [0.2, 0.9, 1.0])
def test_lrd_takes_the_likeliest_tokens_up_to_its_mass(scale: float, top_p: float) -> None:
    """Whether 8 tokens hold it, 64, or only all: flat predictions are among those of each scale."""
    generator = torch.Generator().manual_seed(5)
    p = (scale * torch.randn(12, 100, generator=generator, dtype=torch.float64)).softmax(-1)
    p[:2] = 1 / 100
    table = torch.randn(100, 7, generator=generator, dtype=torch.float64)
    found = nucleus_mean(p, table, top_p)
    for row in range(2, len(p)):
        order = p[row].sort(descending=True)
        before = order.values.cumsum(-1) - order.values
        weights = order.values[before < top_p]
        mean = weights @ table[order.indices[before < top_p]] / weights.sum()
        assert torch.allclose(found[row], mean)
    if top_p == 1.0:
        assert torch.allclose(found[:2], table.mean(0))


LOOP = {"loop_on": 0.5, "loop_off": 0.25, "loop_alpha": 0.6}


@pytest.mark.parametrize(
    ("remask", "eta", "steps"), [("never", 0, 5), ("cap", 0.1, 6), ("rescale", 0.4, 6), ("loop", 0.2, 8)]
)
def test_remasking_keeps_the_share_of_masks(remask: str, eta: float, steps: int) -> None:
    """decoders.E9: P(mask at s) = 1 - alpha_s over all states of two positions, exactly."""
    for shares, alpha, _ in toy(steps, {"remask": remask, "eta": eta, **LOOP}):
        masked = [sum(p for state, p in shares.items() if state[i]) for i in range(2)]
        assert masked == pytest.approx([1 - alpha] * 2, abs=1e-12)


def test_remasking_by_confidence_leaves_at_most_one_mask_more() -> None:
    """As published: masks get sigma 0."""
    more = []
    for shares, alpha, expected in toy(6, {"remask": "conf"}):
        more.append(sum(p * sum(state) for state, p in shares.items()) - 2 * (1 - alpha))
        assert -1e-12 <= more[-1] <= expected + 1e-12
    assert max(more) > 0.1


def toy(steps: int, values: dict):
    """Yield the distribution over masks of two positions after a step, alpha, and the remasks expected."""
    model = FakeModel().double()
    chosen = settings_from("ancestral", {"gen_length": N, **values})
    facts, random = model_facts(model), RowRandom([0], torch.device("cpu"))
    stepper = Ancestral(Setup(model, chosen, facts, make_schedule(chosen, facts), random))
    shares, expected = {(True, True): 1.0}, 0.0
    block = SimpleNamespace(steps_B=torch.tensor([steps]), open_BM=torch.ones(1, 2, dtype=torch.bool))
    for step in range(steps):
        info, after = SimpleNamespace(step=step, block=block), {}
        for state, share in shares.items():
            masked_BM = torch.tensor([state])
            drawn_BM = torch.tensor([[0.3, 0.9]]).masked_fill(masked_BM, torch.nan)
            kept = AxisState(
                masked_BM.long(), masked_BM, torch.tensor([2]), masked_BM, {"drawn_BM": drawn_BM}
            )
            chance, sigma = (
                one.expand(1, 2)[0].tolist()
                for one in (stepper._chance(kept, info), stepper._sigma(kept, info))
            )
            stays = [1 - min(chance[i], 1.0) if state[i] else sigma[i] for i in range(2)]
            expected += share * sum(sigma[i] for i in range(2) if not state[i])
            for new in itertools.product([True, False], repeat=2):
                part = [stays[i] if new[i] else 1 - stays[i] for i in range(2)]
                after[new] = after.get(new, 0.0) + share * part[0] * part[1]
        shares = after
        yield shares, float(stepper._alphas(info)[1]), expected
