"""What holds for any batch, group and seed in training."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from xpflow.decoding.samples import parse_shard
from xpflow.errors import ConfigError
from xpflow.study.config.training import GrpoBlock
from xpflow.training.corruption import stratified_mask
from xpflow.training.examples import epoch_order
from xpflow.training.policy.update import advantages, antithetic_shifts, clipped_loss

seeds = st.integers(0, 2**31)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(rows=st.integers(1, 12), width=st.integers(1, 20), seed=seeds)
def test_masks_are_candidates_one_to_all_and_spread_over_rows(rows: int, width: int, seed: int) -> None:
    generator = seeded(seed)
    candidates = torch.rand(rows, width, generator=generator) < 0.6
    candidates[:, 0] = True
    mask = stratified_mask(candidates, generator)
    assert not (mask & ~candidates).any()
    share = sorted((mask.sum(-1) / candidates.sum(-1)).tolist())
    assert 0 < share[0] <= share[-1] <= 1
    full = stratified_mask(torch.ones(rows, width, dtype=torch.bool), generator).sum(-1).sort().values
    for row, count in enumerate(full.tolist()):
        assert row * width // rows + 1 <= count <= -(-(row + 1) * width // rows)


@given(count=st.integers(1, 40), size=st.integers(1, 40), seed=seeds, step=st.integers(0, 500))
def test_a_batch_has_its_size_and_no_example_twice(count: int, size: int, seed: int, step: int) -> None:
    size = min(size, count)
    chosen = epoch_order(count, seed, step, size)
    assert len(chosen) == len(set(chosen)) == size
    assert set(chosen) <= set(range(count))
    assert chosen == epoch_order(count, seed, step, size)


@given(groups=st.integers(1, 4), group=st.integers(2, 6), seed=seeds)
def test_advantages_sum_to_zero_and_do_not_depend_on_other_groups_or_order(
    groups: int, group: int, seed: int
) -> None:
    generator, block = seeded(seed), GrpoBlock(group_size=group, std_floor=0.01)
    task = torch.randint(0, 2, (groups * group,), generator=generator).float()
    t_RN = torch.rand(groups * group, 5, generator=generator)
    found, _ = advantages(task, t_RN, block)
    assert found.view(groups, group, 5).sum(1).abs().max() < 1e-3
    alone, _ = advantages(task[-group:], t_RN[-group:], block)
    torch.testing.assert_close(found[-group:], alone)
    torch.testing.assert_close(
        advantages(task[-group:].flip(0), t_RN[-group:].flip(0), block)[0], alone.flip(0)
    )


@given(n=st.integers(1, 30), clip=st.floats(0.05, 0.5), seed=seeds)
def test_the_clipped_loss_never_promises_more_than_the_plain_ratio(n: int, clip: float, seed: int) -> None:
    new, old, weight = torch.randn(3, n, generator=seeded(seed)).unbind(0)
    plain = -((new - old).exp() * weight).mean()
    assert float(clipped_loss(new, old, weight, clip)) >= float(plain) - 1e-4
    torch.testing.assert_close(clipped_loss(old, old, weight, clip), -weight.mean())


@given(prompts=st.integers(1, 4), group=st.integers(2, 9), seed=seeds)
def test_shifts_of_every_group_sum_to_zero(prompts: int, group: int, seed: int) -> None:
    shifts = antithetic_shifts(prompts * group, group, 0.7, seeded(seed))
    assert shifts.shape == (prompts * group, 9)
    assert shifts.view(prompts, group, 9).sum(1).abs().max() < 1e-5


@given(k=st.integers(-2, 9), n=st.integers(-2, 9))
def test_a_shard_is_read_or_refused(k: int, n: int) -> None:
    if 1 <= k <= n:
        assert parse_shard(f"{k}/{n}") == (k, n)
    else:
        with pytest.raises(ConfigError, match="not a shard"):
            parse_shard(f"{k}/{n}")
