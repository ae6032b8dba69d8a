"""The oracle of MicroText against enumeration: every sentence, every pattern of masks, of small languages."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from xpflow.microtext import WORLDS
from xpflow.microtext.chains import Chains
from xpflow.microtext.measure import entropy, log_ratio, quality, total_correlation
from xpflow.microtext.world import World
from xpflow.microtext.worlds.agreement import agreement
from xpflow.microtext.worlds.orders import orders

seeds = st.integers(0, 2**31)


def rows(generator: torch.Generator, *shape: int) -> Tensor:
    """Return probabilities with zeros among them."""
    found = torch.rand(*shape, generator=generator, dtype=torch.float64)
    found = found.masked_fill(found < 0.3, 0.0) + 1e-3 * (torch.arange(shape[-1]) == 0)
    return found / found.sum(-1, keepdim=True)


def small(seed: int, length: int, size: int, states: int, components: int) -> World:
    """Return a language of random probabilities and orders."""
    generator = torch.Generator().manual_seed(seed)
    tables = (
        rows(generator, components, states),
        rows(generator, components, states, states),
        rows(generator, components, states, size),
    )
    order_KL = torch.stack([torch.randperm(length, generator=generator) for _ in range(components)])
    weight_K = rows(generator, components)
    return World("small", "", tuple(map(str, range(size))), lambda: Chains(weight_K, order_KL, *tables))


def sentences(world: World) -> Tensor:
    return torch.tensor(list(product(range(world.size), repeat=world.length)))


def by_paths(world: World, ids_L: list[int]) -> float:
    """Return p(x) as a sum over components and paths of states, with no message passed."""
    c, total = world.chains, 0.0
    K, S = c.initial_KS.shape
    for k, path in product(range(K), product(range(S), repeat=world.length)):
        p = float(c.weight_K[k] * c.initial_KS[k, path[0]])
        for step, state in enumerate(path):
            p *= float(c.emission_KSV[k, state, ids_L[int(c.order_KL[k, step])]])
            p *= float(c.transition_KSS[k, path[step - 1], state]) if step else 1.0
        total += p
    return total


TINY = [
    small(0, 3, 3, 3, 2),
    small(2, 4, 2, 3, 1),
    orders("tiny", "", length=4, values=3, strides=(1, 2), following=(((1, 1), (2, 0)), (0.7, 0.3))),
    agreement(3, 3),
]
tiny = pytest.mark.parametrize("world", TINY, ids=["mixture", "hidden", "orders", "agreement"])


@tiny
def test_log_p_is_the_sum_over_paths_and_sums_to_one(world: World) -> None:
    every_NL = sentences(world)
    p_N = world.log_prob(every_NL).exp()
    assert float(p_N.sum()) == pytest.approx(1, abs=1e-12)
    for ids_L, p in list(zip(every_NL.tolist(), p_N.tolist(), strict=True))[::7]:
        assert p == pytest.approx(by_paths(world, ids_L), abs=1e-14)


@tiny
def test_conditionals_of_every_masked_sentence_are_those_of_enumeration(world: World) -> None:
    every_NL = sentences(world)
    p_N = world.log_prob(every_NL).exp()
    for open_L in map(torch.tensor, product((False, True), repeat=world.length)):
        open_NL = open_L.expand_as(every_NL)
        same_NN = ((every_NL[:, None] == every_NL[None]) | open_L).all(-1).double()
        evidence_N = same_NN @ p_N
        possible_N = evidence_N > 0
        torch.testing.assert_close(
            world.log_evidence(every_NL, open_NL).exp(), evidence_N, rtol=1e-12, atol=1e-15
        )
        words_NLV = torch.nn.functional.one_hot(every_NL, world.size).double()
        wanted_NLV = torch.einsum("nm,m,mlv->nlv", same_NN, p_N, words_NLV) / evidence_N[:, None, None]
        found_NLV = world.conditionals(every_NL, open_NL)
        torch.testing.assert_close(found_NLV[possible_N], wanted_NLV[possible_N], rtol=1e-11, atol=1e-14)
        impossible_NL = (~possible_N)[:, None] & open_NL
        assert found_NLV[impossible_NL].isnan().all(), "there is no conditional given what cannot be"
        assert not found_NLV[~impossible_NL].isnan().any()


@tiny
def test_entropies_and_total_correlations_are_those_of_enumeration(world: World) -> None:
    every_NL = sentences(world)
    log_p_N = world.log_prob(every_NL)
    p_N = log_p_N.exp()
    whole = -float(torch.special.xlogy(p_N, p_N).sum())
    assert entropy(world).value == pytest.approx(whole, abs=1e-12 if world.chains.tells_path else 0.05)
    said_NL = every_NL[p_N > 0]
    for open_L in map(torch.tensor, product((False, True), repeat=world.length)):
        open_NL = open_L.expand_as(said_NL)
        ratio_N = log_ratio(world, said_NL, open_NL, open_NL)
        mean = float((p_N[p_N > 0] * ratio_N).sum())
        assert mean >= -1e-12, "a total correlation is not negative"
        if world.chains.tells_path:
            exact_N = total_correlation(world, said_NL, open_NL)
            assert float((p_N[p_N > 0] * exact_N).sum()) == pytest.approx(mean, abs=1e-11)


def test_words_that_do_not_tell_the_states_have_no_closed_entropy() -> None:
    assert [world.chains.tells_path for world in TINY] == [False, False, True, True]
    nothing = torch.zeros(1, 3, dtype=torch.long)
    with pytest.raises(Exception, match="no closed form"):
        TINY[0].chains.entropy(nothing, nothing == 0)


@given(seed=seeds, share=st.floats(0, 1))
@settings(max_examples=10, deadline=None)
def test_the_chain_rule_holds_in_any_order_of_a_drawn_sentence(seed: int, share: float) -> None:
    """Identity I5's reason: log p(x) is the sum of log conditionals, whatever order they are asked in."""
    generator = torch.Generator().manual_seed(seed)
    for name in ("english", "orders", "agreement-8-3"):
        world = WORLDS[name]
        ids_BL = world.sample(2, generator)
        open_BL = torch.rand(ids_BL.shape, generator=generator) < share
        rest_BL, total_B = open_BL.clone(), world.log_evidence(ids_BL, open_BL)
        for place in torch.randperm(world.length, generator=generator).tolist():
            p_BLV = world.denoiser(ids_BL, rest_BL)
            one_B = p_BLV[range(2), place, ids_BL[:, place]]
            total_B = total_B + torch.where(rest_BL[:, place], one_B, 0.0)
            rest_BL[:, place] = False
        torch.testing.assert_close(total_B, world.log_prob(ids_BL), rtol=1e-10, atol=1e-10)


@given(seed=seeds)
@settings(max_examples=5, deadline=None)
def test_a_batch_does_not_matter_and_open_places_may_hold_anything(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    world = WORLDS["english"]
    ids_BL = world.sample(5, generator)
    open_BL = torch.rand(ids_BL.shape, generator=generator) < 0.5
    whole = world.conditionals(ids_BL, open_BL)
    alone = world.conditionals(ids_BL[3:4].masked_fill(open_BL[3:4], 10**6), open_BL[3:4])
    torch.testing.assert_close(whole[3:4], alone, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", list(WORLDS))
def test_drawn_sentences_are_those_of_the_language(name: str) -> None:
    """Their mean -log p is the entropy, and every place's words have the marginal that the oracle says."""
    world = WORLDS[name]
    ids_BL = world.sample(4000, torch.Generator().manual_seed(3))
    found, wanted = quality(world, ids_BL), entropy(world, draws=4000, seed=4)
    assert found.invalid == 0
    assert found.nll is not None
    spread = (found.nll.standard_error**2 + wanted.standard_error**2) ** 0.5
    assert found.nll.value == pytest.approx(wanted.value, abs=4 * spread + 1e-9)
    nothing_BL = ids_BL[:1]
    p_LV = world.conditionals(nothing_BL, torch.ones_like(nothing_BL, dtype=torch.bool))[0]
    share_LV = torch.nn.functional.one_hot(ids_BL, world.size).double().mean(0)
    assert bool(((share_LV - p_LV).abs() < 5 * (p_LV * (1 - p_LV) / 4000).sqrt() + 1e-9).all())


def test_what_one_step_loses_of_a_repeated_word_is_a_formula() -> None:
    for size, length in ((2, 3), (8, 10)):
        world = agreement(size, length)
        nothing = torch.zeros(1, length, dtype=torch.long)
        found = float(total_correlation(world, nothing, torch.ones_like(nothing, dtype=torch.bool)))
        assert found == pytest.approx((length - 1) * torch.tensor(size).double().log().item(), abs=1e-12)
