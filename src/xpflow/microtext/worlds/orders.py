"""Orders: the first word says in which order the values behind it form a Markov chain.

After "step-4" the chain visits places 1, 5, 9, 13, 2, ...: every fourth one, around. Strides are coprime to
the number of values, and no two of them share a pair of neighbours, so each order has to be learned for
itself. Given the order, every value depends on the one before it and on nothing else: a model that decodes in
that order needs to look at one word, a model that decodes in another has to sum over what it does not see.
"""

from __future__ import annotations

from functools import partial
from math import gcd

import torch
from torch import Tensor

from xpflow.errors import DataError
from xpflow.microtext.chains import Chains
from xpflow.microtext.world import World

LENGTH, VALUES, STRIDES = 16, 16, (1, 2, 4, 7)
# A value v is followed by one of (a v + b) mod VALUES, with these probabilities.
SUCCESSORS = ((1, 1), (3, 5), (5, 2), (7, 11))
SHARES = (0.55, 0.25, 0.12, 0.08)
OTHER_SUCCESSORS = ((5, 3), (1, 6), (3, 13), (7, 4))
OTHER_SHARES = (0.4, 0.3, 0.2, 0.1)


def orders(
    name: str,
    about: str,
    length: int = LENGTH,
    values: int = VALUES,
    strides: tuple[int, ...] = STRIDES,
    following: tuple[tuple[tuple[int, int], ...], tuple[float, ...]] = (SUCCESSORS, SHARES),
    domains: dict[str, str] | None = None,
) -> World:
    """Return an orders world: one order for each stride, `length` - 1 values behind the order's word.

    Raises:
        DataError: a stride does not visit every place, or there are more than 26 values.
    """
    if not 1 <= values <= 26 or any(gcd(stride, length - 1) != 1 for stride in strides):
        raise DataError(
            f"orders: strides {strides} are not all coprime to {length - 1}, or values not 1 to 26"
        )
    words = (*map(chr, range(ord("a"), ord("a") + values)), *(f"step-{stride}" for stride in strides))
    return World(name, about, words, partial(chains, length, values, strides, following), domains or {})


def order_of(stride: int, length: int = LENGTH) -> list[int]:
    """Return the places in the order in which a chain visits them; the order's own word stands first."""
    return [0, *(1 + stride * j % (length - 1) for j in range(length - 1))]


def chains(
    length: int,
    values: int,
    strides: tuple[int, ...],
    following: tuple[tuple[tuple[int, int], ...], tuple[float, ...]],
) -> Chains:
    """Return one chain for each stride. States are the values, and one that says the order's word."""
    K, S = len(strides), values + 1
    transition_SS = torch.zeros(S, S, dtype=torch.float64)
    transition_SS[:values, :values] = successors(values, *following)
    transition_SS[values, :values] = 1 / values
    emission_KSV = torch.zeros(K, S, values + K, dtype=torch.float64)
    emission_KSV[:, :values, :values] = torch.eye(values, dtype=torch.float64)
    emission_KSV[range(K), values, range(values, values + K)] = 1
    initial_KS = torch.zeros(K, S, dtype=torch.float64)
    initial_KS[:, values] = 1
    return Chains(
        weight_K=torch.full((K,), 1 / K, dtype=torch.float64),
        order_KL=torch.tensor([order_of(stride, length) for stride in strides]),
        initial_KS=initial_KS,
        transition_KSS=transition_SS.expand(K, S, S),
        emission_KSV=emission_KSV,
    )


def successors(values: int, maps: tuple[tuple[int, int], ...], shares: tuple[float, ...]) -> Tensor:
    """Return p(next value | value), [values, values]; two maps that meet in one value add up."""
    found = torch.zeros(values, values, dtype=torch.float64)
    for (a, b), share in zip(maps, shares, strict=True):
        for value in range(values):
            found[value, (a * value + b) % values] += share
    return found


WORLD = orders(
    "orders",
    "the first word says in which order 15 values form a Markov chain",
    domains={"transitions": "orders-transitions"},
)
TRANSITIONS = orders(
    "orders-transitions",
    "orders with other transitions between the values",
    following=(OTHER_SUCCESSORS, OTHER_SHARES),
)
