"""`xpflow objectives` says of every objective what it is and what can be set, and takes files too."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpflow.cli import main
from xpflow.training.objectives import OBJECTIVES

OUTSIDE = f"{Path(__file__).parents[2]}/fakes/objectives.py:MANY_MASKS"


def test_every_objective_is_listed_with_what_it_says_of_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["objectives"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(OBJECTIVES)
    assert all(OBJECTIVES[name].about in line for name, line in zip(OBJECTIVES, lines, strict=True))


@pytest.mark.parametrize("name", [*OBJECTIVES, OUTSIDE])
def test_the_settings_of_an_objective_are_shown_with_their_defaults(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["objectives", name]) == 0
    shown = capsys.readouterr().out
    for key, field in OBJECTIVES[name].settings.model_fields.items():
        assert f"  {key} = {field.default}\n" in shown
