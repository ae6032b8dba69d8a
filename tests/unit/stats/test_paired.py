import numpy as np
import pytest

from xpflow.errors import DataError
from xpflow.stats.paired import holm, mcnemar, mcnemar_counts


@pytest.mark.parametrize(("only_a", "only_b", "p"), [(6, 0, 0.031), (10, 4, 0.180), (5, 5, 1.0), (0, 0, 1.0)])
def test_exact_mcnemar_gives_known_p_values(only_a: int, only_b: int, p: float) -> None:
    assert mcnemar_counts(30, only_a, only_b, 20).p_value == pytest.approx(p, abs=5e-4)


def test_mcnemar_counts_the_four_cells_of_paired_vectors() -> None:
    a = np.array([1, 1, 1, 0, 0, 0], dtype=bool)
    b = np.array([1, 0, 0, 1, 0, 0], dtype=bool)
    table = mcnemar(a, b)
    assert (table.both, table.only_a, table.only_b, table.neither) == (1, 2, 1, 2)
    assert mcnemar(b, a).p_value == table.p_value


def test_vectors_of_different_lengths_are_refused() -> None:
    with pytest.raises(DataError):
        mcnemar(np.ones(3, dtype=bool), np.ones(4, dtype=bool))


def test_holm_steps_down_and_keeps_the_order_given() -> None:
    # sorted .01 .02 .03 .04 -> x4 x3 x2 x1, made monotone
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []
