"""The studies of few-step decoding: equal forwards of training, and claims at all places that they name."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from xpflow.study.answers import graded_answers
from xpflow.study.check import check_runs, check_study
from xpflow.study.config import StudyConfig, load_study
from xpflow.study.rows import trained_runs
from xpflow.training.objectives import OBJECTIVES

CONFIG = Path(__file__).parents[3] / "config"
BACKWARD = 2  # forwards that a backward costs
UNEQUAL = {"paper-short", "forced-light", "control-light"}  # shorter on purpose
STUDIES = (
    ("few-step", True),
    ("few-step-full", True),
    ("few-step-ablation", True),
    ("few-step-paper", False),
)


def forwards_of(study: StudyConfig, full: bool = True) -> dict[str, int]:
    """Return the forwards of a row that each run takes."""
    found = {}
    for run in study.training.runs:
        entry, how = OBJECTIVES[run.objective], study.training.of(run, full=full)
        cost = entry.cost(entry.checked(run.settings))
        found[run.name] = how.updates * how.batch_size * (cost.trained * (1 + BACKWARD) + cost.free)
    return found


@pytest.mark.parametrize(("name", "full"), STUDIES)
def test_methods_are_compared_at_equal_forwards_and_updates(name: str, full: bool) -> None:
    study = load_study(CONFIG / f"{name}.yaml")
    found = {run: count for run, count in forwards_of(study, full).items() if run not in UNEQUAL}
    updates = {run.name: study.training.of(run, full=full).updates for run in study.training.runs}
    for one in (found, updates):  # rounds are one method
        if rounds := [one.pop(run) for run in list(one) if run.startswith("sdtt")]:
            one["sdtt"] = sum(rounds)
    for run, count in found.items():
        assert count == pytest.approx(found["forced"], rel=0.02), run
        assert updates[run] == updates["forced"], run
    light = forwards_of(study)
    assert light.get("forced-light") == light.get("control-light")
    assert 4 * light.get("forced-light", 0) in (0, light["forced"])
    assert {run for _, run, _ in trained_runs(study)} == {run.name for run in study.training.runs}


def test_claims_are_asked_at_mean_forwards_from_two_to_eight_of_thirty_two() -> None:
    for name, places in (("few-step", (2, 3, 4, 6, 8)), ("few-step-full", (2, 3, 4, 5, 6, 7, 8))):
        study = load_study(CONFIG / f"{name}.yaml")
        claims = {claim.id: claim for claim in study.frontier.preregistration}
        relatives = ("certainty", "pseudo", "drafts", "dmax", "consistency", "sdtt")
        for relative in relatives:
            asked = [at * 32 for at, _ in claims[f"over-{relative}"].places]
            assert asked == list(places), (name, relative)
        kept = claims["keeps-97"]
        assert (kept.least, kept.places) == (0.97, ((Fraction(1, 8), Fraction(1)),))
        assert claims["as-good-as-base"].by == -0.03
        assert claims["on-policy-or-random"].direction == "different"
        assert claims["mixed-over-paper"].by == 0.1
        check_runs(study, name)


def test_the_ablation_compares_each_lever_with_ours_and_filtered_answers_at_equal_updates() -> None:
    study = load_study(CONFIG / "few-step-ablation.yaml")
    check_study(study, "few-step-ablation")
    check_runs(study, "few-step-ablation")
    runs = {run.name: run for run in study.training.runs}
    for name, plain in (("correct", "forced"), ("control-correct", "control")):
        assert runs[name].model_copy(update={"name": plain, "answers": "all"}) == runs[plain]
    assert graded_answers(study) == [("llada-micro", seed) for seed in study.study.seeds]
    assert graded_answers(load_study(CONFIG / "few-step-full.yaml")) == []
    sides = {(claim.curve_a, claim.curve_b) for claim in study.frontier.preregistration}
    levers = ("correct", "one-state", "one-pace", "soft-teacher", "keeps-unsure", "rolls-back")
    assert {(f"threshold-{one}", "threshold-forced") for one in levers} <= sides
