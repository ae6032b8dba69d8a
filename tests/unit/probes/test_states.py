"""Mixed states: ends that are exact, hand-computed ranks, angles and distances."""

from __future__ import annotations

import math

import pytest
import torch

from xpflow.probes.states import angle, logit_rank, mixed_state, nearest_rank, segment_distance

GEOMETRIES = ("linear", "spherical")


@pytest.fixture
def table() -> torch.Tensor:
    return torch.randn(30, 12, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_at_0_a_state_is_the_mask_and_at_1_the_token(table, geometry) -> None:
    m, tokens = table[-1], table[:5]
    assert torch.equal(mixed_state(m, tokens, 0.0, geometry), m.expand(5, -1))
    assert torch.equal(mixed_state(m, tokens, 1.0, geometry), tokens)


def test_a_linear_state_is_the_papers_equation() -> None:
    x = mixed_state(torch.tensor([4.0, 0.0]), torch.tensor([[0.0, 2.0]]), 0.25, "linear")
    assert x.tolist() == [[3.0, 0.5]]


def test_a_spherical_state_lies_t_of_the_angle_and_of_the_length_on_its_way() -> None:
    m, token = torch.tensor([4.0, 0.0]), torch.tensor([[0.0, 2.0]])
    [x] = mixed_state(m, token, 1 / 3, "spherical")
    length = 4 * 2 / 3 + 2 / 3
    assert x.tolist() == pytest.approx([length * math.cos(math.pi / 6), length * math.sin(math.pi / 6)])


def test_the_chord_is_shorter_than_the_arc(table) -> None:
    m, tokens = table[-1], table[:5]
    line, sphere = (mixed_state(m, tokens, 0.5, geometry).norm(dim=-1) for geometry in GEOMETRIES)
    assert (line < sphere).all()


def test_angles_are_in_degrees_and_exact_when_small() -> None:
    a = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    b = torch.tensor([[3.0, 0.0], [0.0, 2.0], [1.0, 1.0], [1.0, 1e-7]])
    assert angle(a, b).tolist() == pytest.approx([0.0, 90.0, 45.0, math.degrees(1e-7)])


def test_at_1_the_token_itself_is_nearest_and_the_mask_does_not_count(table) -> None:
    ids = torch.arange(29)
    assert nearest_rank(table[:29], ids, table, [29]).tolist() == [0] * 29
    # at t = 0 the state is the mask: whatever is mixed in, the rank is that among the others
    at_mask = nearest_rank(table[29:].expand(29, -1), ids, table, [29])
    assert sorted(at_mask.tolist()) == list(range(29))


def test_the_nearest_rank_counts_those_that_lie_nearer() -> None:
    table = torch.tensor([[0.0], [1.0], [2.0], [5.0], [1.4]])
    ids = torch.tensor([0, 3, 1])
    assert nearest_rank(torch.full((3, 1), 1.5), ids, table, [4]).tolist() == [2, 3, 0]
    assert nearest_rank(torch.full((3, 1), 1.5), ids, table, []).tolist() == [3, 4, 1]


def test_the_rank_of_a_logit_counts_larger_ones() -> None:
    logits = torch.tensor([[0.1, 3.0, 2.0, -torch.inf], [5.0, 5.0, 1.0, 9.0]])
    assert logit_rank(logits, torch.tensor([2, 0])).tolist() == [1, 1]
    assert logit_rank(logits, torch.tensor([1, 3])).tolist() == [0, 0]


@pytest.mark.parametrize("t", [0.0, 0.3, 0.5, 1.0])
def test_a_state_on_the_segment_has_distance_0(table, t) -> None:
    x = torch.lerp(table[-1].double().expand(5, -1), table[:5].double(), t)
    assert segment_distance(x, table[-1], table[:5]).abs().max() < 1e-12


def test_off_the_segment_the_distance_is_in_its_lengths() -> None:
    m, end = torch.zeros(2), torch.tensor([[4.0, 0.0]] * 3)
    x = torch.tensor([[1.0, 2.0], [-3.0, 0.0], [7.0, 4.0]])
    assert segment_distance(x, m, end).tolist() == [0.5, 0.75, 1.25]
    assert segment_distance(torch.tensor([[3.0, 4.0]]), m, torch.zeros(1, 2)).tolist() == [5.0]
