"""Curves of accuracy against forwards, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from xpflow.stats.frontier import Mixture, Point, area, at_accuracy, at_nfe, aup, front, recovery


def point(label: str, passed: list[float], nfe: float) -> Point:
    outcomes = np.array([passed], dtype=np.float64)
    return Point(label, outcomes, np.full(outcomes.shape, nfe))


CHEAP = point("cheap", [1, 0, 0, 0], 2.0)
MIDDLE = point("middle", [1, 1, 0, 0], 4.0)
WORSE = point("worse", [0, 1, 0, 0], 6.0)
DEAR = point("dear", [1, 1, 1, 1], 8.0)
POINTS = [DEAR, WORSE, CHEAP, MIDDLE]


def test_the_front_has_what_no_cheaper_setting_matches() -> None:
    assert [POINTS[k].label for k in front(POINTS)] == ["cheap", "middle", "dear"]
    same = [point("first", [1, 0], 3.0), point("second", [1, 0], 3.0), point("dearer", [0, 1], 4.0)]
    assert [same[k].label for k in front(same)] == ["first"]


def test_between_two_settings_lies_a_mixture_with_the_nfe_that_was_asked_for() -> None:
    found = at_nfe(POINTS, 7.0)
    assert found == Mixture(3, 0, 0.25)  # a quarter of the problems by `middle`
    mixed = found.of(POINTS)
    assert mixed.nfe == pytest.approx(7.0)
    assert mixed.passed_SP.tolist() == [[1.0, 1.0, 0.75, 0.75]]
    assert at_nfe(POINTS, 4.0).of(POINTS).label == "middle"
    assert at_nfe(POINTS, 1.9) is None
    assert at_nfe(POINTS, 100.0).of(POINTS).label == "dear"


def test_settings_are_chosen_on_one_set_and_read_on_another() -> None:
    test = [point(one.label, [0, 0, 0, 1], one.nfe + 1) for one in POINTS]
    read = at_nfe(POINTS, 4.0).of(test)
    assert (read.label, read.nfe, read.accuracy) == ("middle", 5.0, 0.25)


def test_the_cheapest_mixture_of_an_accuracy() -> None:
    assert at_accuracy(POINTS, 0.2).of(POINTS).label == "cheap"
    found = at_accuracy(POINTS, 0.75).of(POINTS)
    assert (found.accuracy, found.nfe) == (pytest.approx(0.75), pytest.approx(6.0))
    assert at_accuracy(POINTS, 1.01) is None


def test_the_area_of_a_flat_curve_is_its_height_and_what_no_setting_reaches_is_nothing() -> None:
    flat = [point("one", [1, 1, 0, 0], 1.0)]
    assert area(flat, flat, 16, 1 / 16).accuracy == pytest.approx(0.5)
    late = [point("late", [1, 1, 0, 0], 4.0)]  # reachable from 1/4 of 16 on: half of log2
    assert area(late, late, 16, 1 / 16).accuracy == pytest.approx(0.25, abs=0.01)
    rising = area(POINTS, POINTS, 8, 1 / 8)
    assert 0 < rising.accuracy < 1
    assert rising.passed_SP.shape == (1, 4)


def test_recovery_counts_what_the_reference_solves() -> None:
    assert recovery(MIDDLE.passed_SP, CHEAP.passed_SP) == 1.0
    assert recovery(WORSE.passed_SP, MIDDLE.passed_SP) == 0.5
    assert np.isnan(recovery(WORSE.passed_SP, np.zeros((1, 4))))


def test_aup_is_d3llms_with_its_defect() -> None:
    """One point (rho 10, y 20) scores 200, an honest curve from 80 to 78 over rho 1 to 4 about 309."""
    lone = [Point("lone", np.array([[0.2]]), np.array([[3.2]]))]
    assert aup(lone, 32, 0.8) == pytest.approx(200.0)
    honest = [
        Point(str(rho), np.array([[0.80 - 0.02 * (rho - 1) / 3]]), np.array([[32.0 / rho]]))
        for rho in (1, 2, 3, 4)
    ]
    assert aup(honest, 32, 0.8) == pytest.approx(309, abs=1.0)
    fallen = [*honest, Point("5", np.array([[0.74]]), np.array([[32.0 / 5]]))]
    assert aup(fallen, 32, 0.8) == aup(honest, 32, 0.8)
