"""Noisy masks: their posterior, their partition into words, and what one step of any model can agree on."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
import torch
from torch import Tensor

from xpflow.errors import ConfigError
from xpflow.masking.agreement import one_step
from xpflow.masking.mask_noise import MaskNoise, NoiseShape, cell_of, fates
from xpflow.masking.noisy_sampling import Path, sample_noisy
from xpflow.masking.reverse import network, sample
from xpflow.masking.schedule import make_schedule
from xpflow.microtext import WORLDS
from xpflow.stats.agreement import ancestral_ceiling

SHAPES = (NoiseShape(), NoiseShape("gaussian", 5), NoiseShape("table", masks=3))


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.kind)
def test_noise_adds_exactly_nothing_at_first_and_can_learn_to(shape: NoiseShape) -> None:
    noise = MaskNoise(shape, 8)
    drawn = shape.draw(4, 6, torch.Generator().manual_seed(0))
    assert drawn.shape == (4, 6, shape.numbers)
    added = noise(drawn)
    assert added.shape == (4, 6, 8)
    assert torch.equal(added, torch.zeros_like(added))
    added.square().sum().backward()
    added = noise(drawn)
    (added - 1).square().sum().backward()
    last = noise.table if shape.kind == "table" else noise.layers[-1].weight
    assert last.grad.abs().max() > 0


def test_noise_is_drawn_as_it_says() -> None:
    generator = torch.Generator().manual_seed(0)
    uniform, normal, table = (shape.draw(400, 50, generator) for shape in SHAPES)
    assert -1 <= float(uniform.min()) < -0.99 < 0.99 < float(uniform.max()) <= 1
    assert float(normal.std()) == pytest.approx(1, abs=0.01)
    assert sorted(table.unique().tolist()) == [0, 1, 2]
    one = NoiseShape("table", masks=1).draw(3, 4, generator)
    assert not one.any(), "one mask: the plain model"


@pytest.mark.parametrize("masks", [1, 2, 5])
def test_the_posterior_is_that_of_bayes_with_finitely_many_masks(masks: int) -> None:
    """Enumerate where a mask at t can have been at s: a token, the same mask, another one."""
    for alpha_t, alpha_s in ((0.0, 0.0), (0.0, 0.4), (0.3, 0.3), (0.2, 0.9), (0.6, 1.0)):
        stays = alpha_t / alpha_s if alpha_s else 1.0
        jump = (1 - stays) / masks
        token = alpha_s * jump
        same = (1 - alpha_s) / masks * (stays + jump)
        other = (masks - 1) * (1 - alpha_s) / masks * jump
        total = token + same + other
        assert total == pytest.approx((1 - alpha_t) / masks)
        found = fates(*torch.tensor([alpha_s, alpha_t], dtype=torch.float64))
        assert float(found.decide) == pytest.approx(token / total, abs=1e-12)
        assert float(found.keep + found.redraw / masks) == pytest.approx(same / total, abs=1e-12)
        assert float(found.redraw) * (masks - 1) / masks == pytest.approx(other / total, abs=1e-12)
        assert float(found.decide + found.keep + found.redraw) == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize("size", [2, 8, 32])
def test_signs_cut_noise_into_equal_cells(size: int) -> None:
    """All patterns of signs, which are equally likely: every word has as many as any other."""
    bits = (size - 1).bit_length()
    signs = torch.tensor(list(product((-0.5, 0.5), repeat=bits)))
    found = cell_of(signs[:, None, :].expand(-1, 3, -1), size)
    assert found.sort().values.tolist() == list(range(size))


def test_the_largest_sum_favours_no_word() -> None:
    """Renaming the numbers renames the words, so by symmetry all are as likely."""
    noise = NoiseShape(width=8).draw(500, 4, torch.Generator().manual_seed(0))
    order = torch.randperm(8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(order[cell_of(noise[..., order], 8, "sum")], cell_of(noise, 8, "sum"))
    assert len(cell_of(noise, 8, "sum").unique()) == 8


def test_a_partition_that_is_none_is_refused() -> None:
    noise = torch.zeros(1, 2, 4)
    for size, partition, says in ((5, "sum", "as many"), (6, "signs", "6 cells"), (32, "signs", "32 cells")):
        with pytest.raises(ConfigError, match=says):
            cell_of(noise, size, partition)  # type: ignore[arg-type]


def partitioned(size: int) -> object:
    def denoise(ids_BL: Tensor, open_BL: Tensor, noise_BLW: Tensor) -> Tensor:
        word_BL = cell_of(noise_BLW, size)[:, None].expand(ids_BL.shape)
        return torch.nn.functional.one_hot(word_BL, size).double().log()

    return denoise


def test_places_that_read_the_cell_agree_in_one_step_and_lose_nothing() -> None:
    """Zero factorisation error with enough masks, where exact conditionals lose (L - 1) log V nats."""
    shape, size, length = NoiseShape(width=3), 8, 10
    signs = torch.tensor(list(product((-0.5, 0.5), repeat=3)))
    noise_SLW = signs[:, None, :].expand(-1, length, -1)
    nothing = torch.zeros(len(signs), length, dtype=torch.long)
    found = one_step(partitioned(size)(nothing, nothing == 0, noise_SLW))  # type: ignore[operator]
    assert found.agreement == pytest.approx(1, abs=1e-12)
    assert found.entropy == pytest.approx(1, abs=1e-12)
    assert found.agreed_entropy == pytest.approx(1, abs=1e-12)
    assert found.information == pytest.approx(torch.tensor(8.0).log().item(), abs=1e-6)
    assert found.ceiling == pytest.approx(8.0**-9, rel=1e-9)
    drawn = sample_noisy(
        partitioned(size),
        noise_SLW,
        shape,
        1,
        torch.Generator().manual_seed(0),  # type: ignore[arg-type]
    )
    assert torch.equal(drawn.ids_BL, cell_of(noise_SLW, size)[:, None].expand(-1, length))


def test_a_plain_model_s_agreement_is_that_of_its_marginals_and_noise_tells_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    log_p_LV = torch.randn(5, 4, generator=generator, dtype=torch.float64).log_softmax(-1)
    found = one_step(log_p_LV.expand(64, -1, -1))
    assert found.agreement == pytest.approx(found.ceiling, rel=1e-12)
    assert found.agreement == pytest.approx(float(log_p_LV.exp().prod(0).sum()), rel=1e-12)
    assert found.information == pytest.approx(0, abs=1e-12)
    mixed = torch.randn(64, 5, 4, generator=generator, dtype=torch.float64).log_softmax(-1)
    assert one_step(mixed).information > 0.01


def test_equal_marginals_agree_least_where_they_are_uniform() -> None:
    """So V^(1 - L) is a floor of them: the trained plain model lies slightly above it."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        log_p_V = (0.3 * torch.randn(8, generator=generator, dtype=torch.float64)).log_softmax(-1)
        assert one_step(log_p_V.expand(1, 10, -1)).agreement >= 8.0**-9
    flat = torch.full((1, 10, 8), 1 / 8, dtype=torch.float64).log()
    assert one_step(flat).agreement == pytest.approx(8.0**-9)


@pytest.mark.parametrize(
    ("size", "steps", "wanted"),
    [(2, 1, 0.00195), (2, 4, 0.430), (8, 2, 0.0176), (8, 16, 0.746), (32, 8, 0.501), (2, 64, 0.961)],
)
def test_exact_conditionals_have_these_ceilings(size: int, steps: int, wanted: float) -> None:
    assert ancestral_ceiling(size, 10, steps) == pytest.approx(wanted, rel=5e-3)


def test_the_oracle_sampled_in_steps_meets_its_ceiling() -> None:
    world = WORLDS["agreement-2-10"]
    found = sample(
        network(world.denoiser, make_schedule("constant").alpha),
        (4000, 10),
        4,
        torch.Generator().manual_seed(0),
    )
    agree = float((found.ids_BL == found.ids_BL[:, :1]).all(-1).double().mean())
    assert agree == pytest.approx(ancestral_ceiling(2, 10, 4), abs=4 * 0.5 / 4000**0.5)


@pytest.mark.parametrize("path", ["kept", "posterior", "fresh"])
def test_paths_keep_or_change_the_noise_that_is_left(path: Path) -> None:
    shape, length = NoiseShape(width=2), 6
    generator = torch.Generator().manual_seed(0)
    start = shape.draw(300, length, generator)
    seen: list[tuple[Tensor, Tensor]] = []

    def denoise(ids_BL: Tensor, open_BL: Tensor, noise_BLW: Tensor) -> Tensor:
        seen.append((open_BL, noise_BLW))
        return torch.zeros(*ids_BL.shape, 3)

    found = sample_noisy(denoise, start, shape, 12, generator, path)
    assert int(found.nfe_B.max()) <= length
    assert bool((found.nfe_B > 0).all())
    first = {tuple(one) for one in start.flatten(0, 1).tolist()}
    left = [noise_BLW[open_BL].tolist() for open_BL, noise_BLW in seen]
    share = [sum(tuple(one) in first for one in part) / len(part) for part in left]
    assert share[0] == 1
    if path == "kept":
        assert set(share) == {1.0}
    elif path == "fresh":
        assert set(share[1:]) == {0.0}
    else:
        assert share[1] == 0, "nothing is seen at t = 1, so no mask of it is older than that"
        later = [sum(one in before for one in after) / len(after) for before, after in pairwise(left[1:9])]
        assert all(0.1 < one < 1 for one in later)
        assert later[-1] > later[0], "the nearer to the sentence, the older the masks that are left"
