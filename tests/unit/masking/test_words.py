"""Words that are drawn from what a model says, or an error where it says nothing."""

from __future__ import annotations

import math

import pytest
import torch

from xpflow.errors import DecodingError
from xpflow.masking.reverse import draw_words


@pytest.mark.parametrize("said", [math.nan, math.inf])
def test_no_word_is_drawn_from_what_is_no_probability(said: float) -> None:
    log_p_BLV = torch.zeros(2, 3, 4).log_softmax(-1)
    log_p_BLV[1, 2, 3] = said
    with pytest.raises(DecodingError, match="not finite"):
        draw_words(log_p_BLV, torch.Generator().manual_seed(0))


def test_where_no_word_is_possible_it_is_the_first() -> None:
    """An oracle says so beside words that never stand together; a model cannot: its softmax is NaN then."""
    drawn_BL = draw_words(torch.full((1, 1, 3), -math.inf), torch.Generator().manual_seed(0))
    assert drawn_BL.tolist() == [[0]]
    with pytest.raises(DecodingError, match="not finite"):
        draw_words(torch.full((1, 1, 3), -math.inf).log_softmax(-1), torch.Generator().manual_seed(0))


def test_words_that_are_impossible_are_none_of_those_drawn() -> None:
    log_p_BLV = torch.tensor([0.5, 0.0, 0.5]).log().expand(1, 64, 3)
    drawn_BL = draw_words(log_p_BLV, torch.Generator().manual_seed(0))
    assert set(drawn_BL.flatten().tolist()) == {0, 2}
