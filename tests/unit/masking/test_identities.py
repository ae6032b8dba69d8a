"""The exact identities of masking processes: what a schedule is worth, order by order, mask by mask.

I1 powers are a Plackett-Luce order; I2 masked diffusion; I3 autoregressive; I4 blocks; I5 an exact denoiser
has the true likelihood under every schedule; I6 steep powers are nearly an order.
"""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from fakes.masking import every, exact_bound, table_denoiser
from xpflow.errors import ConfigError
from xpflow.masking import orders
from xpflow.masking.alpha import EARLIEST, Alpha, powers, uniform_numbers, working_masks
from xpflow.masking.bound import Denoiser, draw_bound, nll_of
from xpflow.masking.reverse import chance, network, sample
from xpflow.masking.schedule import LearnedSchedule, make_schedule
from xpflow.masking.schedules import SCHEDULES
from xpflow.masking.schedules.learned import normalised
from xpflow.microtext import WORLDS
from xpflow.microtext.chains import Chains
from xpflow.microtext.world import World

FIXED: list[tuple[str, dict[str, Any]]] = [
    ("constant", {}),
    ("constant", {"power": 0.5}),
    ("ordered", {}),
    ("ordered", {"smoothing": 0.2}),
    ("blocks", {"block": 2}),
    ("permutation", {"order": "2 0 1"}),
    ("permutation", {"by_first": "0=0 1 2; 1=0 2 1"}),
]
fixed = pytest.mark.parametrize(("name", "values"), FIXED)
THIRDS = [0.0, 1 / 3, 1 / 2, 2 / 3, 1.0]


@pytest.fixture
def denoiser() -> Denoiser:
    return table_denoiser(0)


def in_order(denoiser: Denoiser, ids_BL: Tensor, order: tuple[int, ...]) -> Tensor:
    """Return the autoregressive loss of an order, [B]."""
    open_BL, total_B = (
        torch.ones_like(ids_BL, dtype=torch.bool),
        torch.zeros(len(ids_BL), dtype=torch.float64),
    )
    for place in order:
        total_B = total_B + nll_of(denoiser(ids_BL, open_BL), ids_BL)[:, place]
        open_BL[:, place] = False
    return total_B


def both(denoiser: Denoiser, name: str, values: dict[str, Any], ids_BL: Tensor) -> tuple[Tensor, Tensor]:
    schedule = make_schedule(name, values)
    squeeze = 4 if values.get("power") else 1
    found = exact_bound(
        denoiser, lambda ids: schedule.alpha(ids, ids < 0), schedule.alpha, ids_BL, THIRDS, squeeze
    )
    return found.main_B, found.velocity_B


def test_powers_are_the_mean_over_plackett_luce_orders(denoiser: Denoiser) -> None:
    ids_BL = every(3, 2)
    power_BL = torch.tensor([0.4, 1.3, 0.7], dtype=torch.float64).expand(len(ids_BL), -1)
    alpha = powers(power_BL)
    found = exact_bound(denoiser, lambda ids: alpha, lambda ids, o: alpha, ids_BL, [0.0, 1.0], 10, 80)
    wanted_B, total_B = torch.zeros(2, len(ids_BL), dtype=torch.float64)
    for order in permutations(range(3)):
        p_B = orders.log_prob(power_BL, torch.tensor(order).expand(len(ids_BL), -1)).exp()
        wanted_B, total_B = wanted_B + p_B * in_order(denoiser, ids_BL, order), total_B + p_B
    torch.testing.assert_close(total_B, torch.ones_like(total_B))
    torch.testing.assert_close(found.main_B, wanted_B, rtol=1e-9, atol=0)
    assert found.velocity_B.abs().max() < 1e-12


@pytest.mark.parametrize("power", [1.0, 0.5, 2.0])
def test_one_power_for_all_is_the_uniform_order_whatever_the_power(denoiser: Denoiser, power: float) -> None:
    ids_BL = every(3, 2)
    main_B, velocity_B = both(denoiser, "constant", {"power": power}, ids_BL)
    wanted_B = torch.stack([in_order(denoiser, ids_BL, o) for o in permutations(range(3))]).mean(0)
    torch.testing.assert_close(main_B, wanted_B, rtol=1e-9, atol=0)
    assert velocity_B.abs().max() < 1e-12


def test_ordered_is_the_autoregressive_loss(denoiser: Denoiser) -> None:
    ids_BL = every(3, 2)
    main_B, velocity_B = both(denoiser, "ordered", {}, ids_BL)
    torch.testing.assert_close(main_B, in_order(denoiser, ids_BL, (0, 1, 2)), rtol=1e-10, atol=0)
    assert velocity_B.abs().max() < 1e-12


def test_smoothing_changes_it_in_proportion(denoiser: Denoiser) -> None:
    ids_BL = every(3, 2)
    exact_B = in_order(denoiser, ids_BL, (0, 1, 2))
    far_B, near_B = (both(denoiser, "ordered", {"smoothing": e}, ids_BL)[0] - exact_B for e in (0.02, 0.002))
    assert near_B.abs().max() > 0
    assert near_B.abs().max() < 0.2 * far_B.abs().max()


def test_blocks_are_masked_diffusion_within_each_after_those_before_it(denoiser: Denoiser) -> None:
    ids_BL = every(3, 2)
    main_B, _ = both(denoiser, "blocks", {"block": 2}, ids_BL)
    wanted_B = (in_order(denoiser, ids_BL, (0, 1, 2)) + in_order(denoiser, ids_BL, (1, 0, 2))) / 2
    torch.testing.assert_close(main_B, wanted_B, rtol=1e-9, atol=0)


def test_a_permutation_is_the_loss_of_its_order_and_may_depend_on_the_first_word(denoiser: Denoiser) -> None:
    ids_BL = every(3, 2)
    main_B, _ = both(denoiser, "permutation", {"order": "2 0 1"}, ids_BL)
    torch.testing.assert_close(main_B, in_order(denoiser, ids_BL, (2, 0, 1)), rtol=1e-10, atol=0)
    main_B, velocity_B = both(denoiser, "permutation", {"by_first": "0=0 1 2; 1=0 2 1"}, ids_BL)
    by_word = [in_order(denoiser, ids_BL, order) for order in ((0, 1, 2), (0, 2, 1))]
    torch.testing.assert_close(main_B, torch.where(ids_BL[:, 0] == 0, *by_word), rtol=1e-10, atol=0)
    assert velocity_B.abs().max() < 1e-12, "the reverse process knows the order when it needs it"


def small_language() -> World:
    generator = torch.Generator().manual_seed(5)
    shapes = ((1,), (1, 3), (1, 3, 3), (1, 3, 2))
    weight, initial, transition, emission = (
        torch.rand(shape, generator=generator, dtype=torch.float64) + 0.05 for shape in shapes
    )
    tables = (table / table.sum(-1, keepdim=True) for table in (initial, transition, emission))
    chains = Chains(weight / weight, torch.tensor([[2, 0, 1]]), *tables)
    return World("small", "", ("a", "b"), lambda: chains)


@fixed
def test_an_exact_denoiser_has_the_true_likelihood_under_every_schedule(
    name: str, values: dict[str, Any]
) -> None:
    world, ids_BL = small_language(), every(3, 2)
    main_B, velocity_B = both(world.denoiser, name, values, ids_BL)
    torch.testing.assert_close(main_B, -world.log_prob(ids_BL), rtol=1e-9, atol=0)
    assert velocity_B.abs().max() < 1e-10


def test_another_reverse_schedule_costs_a_velocity_term_and_nothing_else() -> None:
    world, ids_BL = small_language(), every(3, 2)
    generator = torch.Generator().manual_seed(0)
    there = powers(torch.rand(8, 3, generator=generator) + 0.5)

    def back(ids: Tensor, open_BL: Tensor) -> Alpha:
        return powers(0.6 + 0.5 * open_BL + 0.1 * ids.masked_fill(open_BL, 0))

    found = exact_bound(world.denoiser, lambda ids: there, back, ids_BL, [0.0, 1.0], 10, 60)
    torch.testing.assert_close(found.main_B, -world.log_prob(ids_BL), rtol=1e-7, atol=0)
    assert bool((found.velocity_B > 1e-3).all())


@pytest.mark.parametrize("name", ["english", "orders"])
@pytest.mark.parametrize("schedule", ["constant", "ordered", "blocks"])
def test_the_drawn_bound_of_the_oracle_is_the_likelihood_and_its_excess_nothing(
    name: str, schedule: str
) -> None:
    """By sampling, on whole worlds: unbiased within four standard errors, and exactly no excess."""
    world, rule = WORLDS[name], make_schedule(schedule)
    generator = torch.Generator().manual_seed(1)
    ids_BL = world.sample(1500, generator)
    found = draw_bound(
        world.denoiser, lambda ids: rule.alpha(ids, ids < 0), rule.alpha, ids_BL, generator, world.denoiser
    )
    assert found.above is not None
    assert found.above.total_B.abs().max() == 0
    difference_B = found.parts.main_B + world.log_prob(ids_BL)
    error = float(difference_B.std()) / len(ids_BL) ** 0.5
    assert abs(float(difference_B.mean())) < 4 * error
    assert error < 2.0, "times are drawn so that weights have a variance"


@fixed
def test_drawn_bounds_are_unbiased_and_the_control_variate_keeps_their_mean(
    name: str, values: dict[str, Any]
) -> None:
    world, denoiser = small_language(), table_denoiser(3)
    schedule, generator = make_schedule(name, values), torch.Generator().manual_seed(2)
    ids_BL = every(3, 2)
    main_B, _ = both(denoiser, name, values, ids_BL)
    many_BL = ids_BL.repeat(4000, 1)
    found = draw_bound(
        denoiser, lambda ids: schedule.alpha(ids, ids < 0), schedule.alpha, many_BL, generator, world.denoiser
    )
    assert found.above is not None
    floor_B = -world.log_prob(ids_BL)
    for drawn_B, wanted_B in ((found.parts.total_B, main_B), (found.above.total_B, main_B - floor_B)):
        each = drawn_B.view(4000, 8)
        assert bool(((each.mean(0) - wanted_B).abs() < 5 * each.std(0) / 4000**0.5).all())


@fixed
def test_masks_are_drawn_as_alpha_says_and_velocity_is_its_derivative(
    name: str, values: dict[str, Any]
) -> None:
    ids_BL = torch.zeros(2, 3, dtype=torch.long)
    alpha = make_schedule(name, values).alpha(ids_BL, ids_BL < 0)
    for t in (0.05, 0.3, 0.45, 0.8, 0.95):
        t_B, step = torch.full((2,), t, dtype=torch.float64), 1e-6
        slope_BL = (alpha.masked(t_B + step) - alpha.masked(t_B - step)) / (2 * step)
        torch.testing.assert_close(alpha.rate(t_B), slope_BL, rtol=1e-6, atol=1e-8)
        masked_BL = alpha.masked(t_B)
        torch.testing.assert_close(
            alpha.velocity(t_B) * masked_BL, slope_BL * (masked_BL > 0), rtol=1e-6, atol=1e-8
        )
        total = sum(
            alpha.log_prob(t_B, ((n >> torch.arange(3)) & 1).bool().expand(2, -1)).exp() for n in range(8)
        )
        torch.testing.assert_close(total, torch.ones(2, dtype=torch.float64))
        _, place_BLU = uniform_numbers(20_000, 3, torch.Generator().manual_seed(0))
        many = make_schedule(name, values).alpha(
            ids_BL[:1].expand(20_000, -1), ids_BL[:1].expand(20_000, -1) < 0
        )
        share_L = (many.mask_times(place_BLU) <= t).double().mean(0)
        assert (share_L - masked_BL[0]).abs().max() < 5 * 0.5 / 20_000**0.5


@fixed
def test_drawn_times_have_the_density_that_they_are_weighted_by(name: str, values: dict[str, Any]) -> None:
    ids_BL = torch.zeros(40_000, 3, dtype=torch.long)
    alpha = make_schedule(name, values).alpha(ids_BL, ids_BL < 0)
    time_BU, _ = uniform_numbers(40_000, 3, torch.Generator().manual_seed(0))
    t_B = alpha.time(time_BU)
    assert bool(((t_B >= EARLIEST) & (t_B <= 1)).all())
    weight_B = 1 / alpha.density(t_B)
    for low, high in ((0.1, 0.3), (0.35, 0.6), (0.7, 0.9)):
        inside_B = ((t_B > low) & (t_B <= high)) * weight_B
        assert float(inside_B.mean()) == pytest.approx(high - low, abs=5 * float(inside_B.std()) / 200)


@fixed
def test_masks_that_work_are_those_that_have_a_loss(name: str, values: dict[str, Any]) -> None:
    many_BL = torch.zeros(20_000, 3, dtype=torch.long)
    alpha = make_schedule(name, values).alpha(many_BL, many_BL < 0)
    _, place_BLU = uniform_numbers(20_000, 3, torch.Generator().manual_seed(0))
    for t in (0.1, 0.4, 0.9):
        t_B = torch.full((20_000,), t, dtype=torch.float64)
        drawn_BL, chance_B = working_masks(alpha, t_B, place_BLU)
        works_L = alpha.velocity(t_B)[0] > 0
        assert bool((drawn_BL & works_L).any(-1).all())
        for number in range(8):
            mask_L = ((number >> torch.arange(3)) & 1).bool()
            p = float(alpha.log_prob(t_B, mask_L.expand(20_000, -1)).exp()[0] * (mask_L & works_L).any())
            share = float((drawn_BL == mask_L).all(-1).double().mean() * chance_B[0])
            assert share == pytest.approx(p, abs=5 * 0.5 / 20_000**0.5)


def test_a_strict_order_wastes_no_draw() -> None:
    ids_BL = torch.zeros(50, 3, dtype=torch.long)
    alpha = make_schedule("ordered").alpha(ids_BL, ids_BL < 0)
    time_BU, place_BLU = uniform_numbers(50, 3, torch.Generator().manual_seed(0))
    t_B = alpha.time(time_BU)
    masked_BL, chance_B = working_masks(alpha, t_B, place_BLU)
    targets_BL = masked_BL & (alpha.velocity(t_B) > 0)
    assert targets_BL.sum(-1).tolist() == [1] * 50
    assert bool((chance_B < 1).any())


def test_steep_powers_are_nearly_an_order_and_one_power_is_none() -> None:
    identity = torch.arange(3)[None]
    for ratio, wanted in ((10.0, 0.819), (100.0, 0.980)):
        power_BL = torch.tensor([[ratio**2, ratio, 1.0]])
        assert float(orders.log_prob(power_BL, identity).exp()) == pytest.approx(wanted, abs=5e-4)
    for places in (3, 8):
        flat = orders.entropy(torch.ones(1, places))
        assert float(flat) == pytest.approx(orders.most_entropy(places))
    assert float(orders.entropy(torch.tensor([[1e6, 1e3, 1.0]]))) < 0.02


def test_the_entropy_of_orders_is_that_of_enumeration_and_of_draws() -> None:
    generator = torch.Generator().manual_seed(0)
    power_BL = torch.rand(3, 5, generator=generator) + 0.05
    every_NL = torch.tensor(list(permutations(range(5))))
    log_NB = torch.stack([orders.log_prob(power_BL, order.expand(3, -1)) for order in every_NL])
    torch.testing.assert_close(log_NB.exp().sum(0), torch.ones(3, dtype=torch.float64))
    wanted_B = -(log_NB.exp() * log_NB).sum(0)
    torch.testing.assert_close(orders.entropy(power_BL), wanted_B)
    drawn = orders.sampled_entropy(power_BL, 2000, generator)
    assert bool(((drawn.mean(0) - wanted_B).abs() < 4 * drawn.std(0) / 2000**0.5).all())
    first = torch.stack([orders.draw(power_BL, generator) for _ in range(4000)]).argsort(-1)
    before = (first[..., :, None] < first[..., None, :]).double().mean(0)
    assert (before - orders.first_of(power_BL))[:, ~torch.eye(5, dtype=torch.bool)].abs().max() < 0.04
    with pytest.raises(ConfigError, match="up to 16 places"):
        orders.entropy(torch.ones(1, 17))


def learned(**values: Any) -> LearnedSchedule:
    found = make_schedule("learned", values)
    assert isinstance(found, LearnedSchedule)
    return found


def powers_of(schedule: LearnedSchedule, scores_BL: Tensor) -> Tensor:
    """Return the powers behind a learned alpha: masked(1/e) = e^-w."""
    return -schedule.of_scores(scores_BL).masked(torch.full((len(scores_BL),), -1.0).double().exp()).log()


def test_normalised_scores_sum_to_zero_and_powers_to_a_constant() -> None:
    scores_BL = 30 * torch.randn(50, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert normalised(scores_BL).sum(-1).abs().max() < 1e-12
    assert normalised(scores_BL).abs().max() < 1
    for form in ("paper", "wide"):
        power_BL = powers_of(learned(form=form), scores_BL)
        assert bool((power_BL > 0).all())
        torch.testing.assert_close(power_BL.sum(-1), torch.full((50,), 16 * 0.7, dtype=torch.float64))


def test_the_paper_s_powers_reach_two_up_and_eight_down() -> None:
    """Zero-sum scores: one place first, half against half, one place last; 0.05 and 1.35 never meet."""
    ratios = []
    for high in (1, 8, 15):
        scores_BL = torch.full((1, 16), -60.0)
        scores_BL[:, :high] = 60.0
        power_BL = powers_of(learned(), scores_BL)
        ratios.append(float(power_BL.max() / power_BL.min()))
    assert ratios == pytest.approx([1.986, 2.733, 8.172], abs=2e-3)


def test_equal_scores_are_masked_diffusion() -> None:
    for form in ("paper", "wide"):
        power_BL = powers_of(learned(form=form), torch.full((2, 5), 0.3))
        torch.testing.assert_close(power_BL, torch.full((2, 5), 0.7, dtype=torch.float64))


def test_a_step_decides_with_one_minus_the_ratio_to_the_power() -> None:
    alpha = powers(torch.tensor([[0.5, 1.0, 2.0]]))
    found = chance(alpha, 0.8, 0.2)
    torch.testing.assert_close(found, 1 - torch.tensor([[0.25]]).double() ** torch.tensor([[0.5, 1.0, 2.0]]))
    assert bool((chance(alpha, 0.3, 0.0) == 1).all())
    windows = make_schedule("ordered").alpha(torch.zeros(1, 2).long(), torch.ones(1, 2) > 0)
    assert chance(windows, 1.0, 0.5).tolist() == [[1.0, 0.0]]
    assert chance(windows, 0.5, 0.25).tolist() == [[1.0, 0.5]], "what should be decided by now is"


@pytest.mark.parametrize("name", ["ordered", "permutation"])
def test_one_place_a_step_with_the_oracle_draws_the_language(name: str) -> None:
    world = small_language()
    schedule = make_schedule(name, {"order": "1 2 0"} if name == "permutation" else {})
    found = sample(network(world.denoiser, schedule.alpha), (20_000, 3), 3, torch.Generator().manual_seed(0))
    assert found.nfe_B.unique().tolist() == [3]
    generator = torch.Generator().manual_seed(0)
    again = sample(network(world.denoiser, schedule.alpha), (5, 3), 30, generator, schedule.alpha)
    assert again.nfe_B.tolist() == [3] * 5, "steps that decide nothing are not asked about"
    share_N = torch.bincount((found.ids_BL * torch.tensor([4, 2, 1])).sum(-1), minlength=8) / 20_000
    p_N = world.log_prob(every(3, 2)).exp()
    assert bool(((share_N - p_N).abs() < 5 * (p_N * (1 - p_N) / 20_000).sqrt()).all())


def test_one_step_draws_the_product_of_marginals_and_many_steps_the_language() -> None:
    world = WORLDS["agreement-2-3"]
    constant = make_schedule("constant")
    for steps, low, high in ((1, 0.23, 0.27), (64, 0.94, 1.0)):
        generator = torch.Generator().manual_seed(steps)
        found = sample(network(world.denoiser, constant.alpha), (4000, 3), steps, generator)
        agree = float((found.ids_BL == found.ids_BL[:, :1]).all(-1).double().mean())
        assert low < agree < high
        assert int(found.nfe_B.max()) <= steps


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_every_schedule_takes_its_own_examples(name: str) -> None:
    rule = SCHEDULES[name]
    assert rule.about
    for values in rule.examples:
        schedule = make_schedule(name, values)
        ids_BL = torch.zeros(2, 4, dtype=torch.long)
        if isinstance(schedule, LearnedSchedule):
            with pytest.raises(ConfigError, match="features"):
                schedule.alpha(ids_BL, ids_BL < 0)
            alpha = schedule.of_scores(torch.randn(2, 4))
        else:
            alpha = schedule.alpha(ids_BL, ids_BL < 0)
        ends = [alpha.masked(torch.full((2,), t, dtype=torch.float64)) for t in (0.0, 1.0)]
        assert [float(end.min()) for end in ends] == [float(end.max()) for end in ends] == [0.0, 1.0]


def test_settings_that_are_none_are_errors_of_ours() -> None:
    for name, values, says in (
        ("ordred", {}, "did you mean 'ordered'"),
        ("blocks", {"blok": 4}, "did you mean 'block'"),
        ("learned", {"c2": 0.8}, "c2 must be below c1"),
        ("permutation", {"order": "0 2"}, "every place"),
        ("permutation", {}, "name an order"),
        ("permutation", {"by_first": "0=1 0; 1=0 1"}, "begins with place 0"),
    ):
        with pytest.raises(ConfigError, match=says):
            make_schedule(name, values)
    with pytest.raises(ConfigError, match="the order has 3 places, the sentences 2"):
        make_schedule("permutation", {"order": "0 2 1"}).alpha(
            torch.zeros(1, 2).long(), torch.zeros(1, 2) > 0
        )


def test_the_page_names_every_schedule_with_its_settings() -> None:
    page = (Path(__file__).parents[3] / "docs" / "masking.md").read_text(encoding="utf-8")
    for name in SCHEDULES:
        settings = ", ".join(f"`{key}`" for key in SCHEDULES[name].settings.model_fields)
        assert f"| `{name}` | {settings} |" in page
