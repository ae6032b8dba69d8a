"""Agreement: one word of V, said L times. Nothing is easier in many steps, and nothing harder in one.

This is the repeated token of Infinite Mask Diffusion (Yoo et al., arXiv 2605.10518). A step that decodes all
places at once, independently, loses (L - 1) log V nats: the total correlation of a sentence.
"""

from __future__ import annotations

from functools import partial

import torch

from xpflow.errors import DataError
from xpflow.microtext.chains import Chains
from xpflow.microtext.world import World

ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def agreement(size: int, length: int) -> World:
    """Return the world of `size` words (at most 100) and `length` places; raises DataError beyond."""
    if not 1 <= size <= 100 or length < 1:
        raise DataError(f"agreement has 1 to 100 words and at least one place, not {size} and {length}")
    return World(
        name=f"agreement-{size}-{length}",
        about=f"one of {size} words, {length} times",
        words=tuple(map(number_word, range(size))),
        make=partial(chains, size, length),
    )


def chains(size: int, length: int) -> Chains:
    """Return one chain whose state is the word and never changes."""
    one_SS = torch.eye(size, dtype=torch.float64)[None]
    return Chains(
        weight_K=torch.ones(1, dtype=torch.float64),
        order_KL=torch.arange(length)[None],
        initial_KS=torch.full((1, size), 1 / size, dtype=torch.float64),
        transition_KSS=one_SS,
        emission_KSV=one_SS,
    )


def number_word(number: int) -> str:
    """Return a number below 100 in words."""
    if number < 20:
        return ONES[number]
    return TENS[number // 10] + (f"-{ONES[number % 10]}" if number % 10 else "")


V2_L3, V2_L10 = agreement(2, 3), agreement(2, 10)
V8_L3, V8_L10 = agreement(8, 3), agreement(8, 10)
V32_L3, V32_L10 = agreement(32, 3), agreement(32, 10)
