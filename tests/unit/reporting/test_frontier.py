"""Decoders as curves: arms, tables, claims and figures of block `frontier`, on made-up results."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pandas as pd
import pytest

from xpflow.errors import ConfigError
from xpflow.reporting.curves import swept_curves
from xpflow.reporting.from_config import plan_from_config
from xpflow.reporting.page.build import produce_report
from xpflow.reporting.produce import Sources, produce_figures, produce_tables
from xpflow.study.config import StudyConfig, load_study, study_from_mapping
from xpflow.study.fingerprints import report
from xpflow.study.rows import expand
from xpflow.study.stages import figure_names, table_names

ROOT = Path(__file__).parents[3]
THRESHOLD = {"name": "threshold", "decoder": "threshold", "knob": "threshold", "values": [0.5, 0.9]}
MASK = {"name": "by-quota", "decoder": "mask_prediction", "values": ["1/8", "1/4"]}
CLAIM = {"id": "over", "text": "A threshold wins.", "curve_a": "threshold", "curve_b": "by-quota"}
MADE = {
    "mask": {"1/1": (0.75, 32)},
    "threshold-0p5": {"1/1": (0.3, 4)},
    "threshold-0p9": {"1/1": (0.7, 10)},
    "by-quota": {"1/8": (0.1, 4), "1/4": (0.3, 8)},
}


def study(**frontier: object) -> StudyConfig:
    block = {
        "curves": [THRESHOLD, MASK],
        "validation": {"micropy-he": "he-validation"},
        "preregistration": [CLAIM],
        **frontier,
    }
    return study_from_mapping(
        {
            "study": {"name": "curves"},
            "problems": {
                "benchmarks": [
                    {"name": "micropy-he"},
                    {"name": "he-validation", "source": "micropy-he", "split": "validation"},
                ]
            },
            "evaluation": {
                "arms": [{"name": "mask", "decoder": "mask_prediction", "budgets": ["1/1"], "seeds": "first"}]
            },
            "reporting": {"bootstrap_samples": 300, "figure_formats": ["png"]},
            "frontier": block,
        }
    )


@pytest.fixture
def made(synthetic, tmp_path: Path, monkeypatch) -> tuple[StudyConfig, Path]:
    config = study()
    for arm, rates in MADE.items():
        monkeypatch.setitem(synthetic.RATES, arm, rates)
    synthetic.write_results(tmp_path / "curves", tuple(expand(config)), 80)
    return config, tmp_path / "curves"


def test_a_curve_is_an_arm_for_each_value_and_one_over_budgets() -> None:
    config = study()
    assert [(arm.name, arm.settings, arm.budgets) for arm in config.arms[1:]] == [
        ("threshold-0p5", {"threshold": 0.5}, (Fraction(1),)),
        ("threshold-0p9", {"threshold": 0.9}, (Fraction(1),)),
        ("by-quota", {}, (Fraction(1, 8), Fraction(1, 4))),
    ]
    assert {row.arm for row in expand(config)} == set(MADE)
    plan = plan_from_config(config)
    assert plan.benchmarks == ("micropy-he",)  # choices are made on the others
    assert {row.arm for row in plan.rows} == {"mask"}


def test_a_study_without_curves_is_as_before() -> None:
    plain = study(curves=[], validation={}, preregistration=[])
    assert not {"frontier", "frontier_1"} & {*table_names(plain), *figure_names(plain)}
    assert report(plain) == report(study(curves=[], validation={}, preregistration=[], at=["1/2"]))
    assert report(study()) != report(study(at=["1/2"]))


def test_tables_say_what_stands_at_equal_forwards(made) -> None:
    config, results = made
    out = results.parent / "out"
    produce_tables(config, results, out)
    assert {path.name for path in out.iterdir()} >= {f"{name}.md" for name in table_names(config)}
    curves = pd.read_csv(out / "frontier.csv", comment="#").set_index(["model", "curve"])
    quota, swept = curves.loc["llada-micro", "by-quota"], curves.loc["llada-micro", "threshold"]
    assert quota["nfe at 1/4"] == swept["nfe at 1/4"] == 8.0
    assert 30 < quota["percent at 1/4"] + 3 < swept["percent at 1/4"] < 70
    assert pd.isna(swept["percent at 1/16"])  # no setting is cheap enough
    assert swept["setting at 1/4"] == "0.5 | 0.9"
    claims = pd.read_csv(out / "frontier_claims.csv", comment="#")
    assert claims["judgement"].tolist() == ["confirmed", "confirmed"]
    assert (claims["holm_p"] >= claims["p"]).all()
    exchanged = 100 * (claims["only_a"] - claims["only_b"]) / 80  # wrong to right less right to wrong
    assert exchanged.tolist() == pytest.approx(claims["difference"].tolist(), abs=0.001)
    assert (claims["only_b"] > 0).all()
    told = [one for one in json.loads((out / "claims.json").read_text()) if one["family"] == "curves"]
    assert [one["ours"] for one in told] == pytest.approx(claims["difference"].tolist(), abs=0.001)
    assert (
        "A threshold wins, at 1/4, llada-micro, micropy-he: **confirmed**" in (out / "claims.md").read_text()
    )
    points = pd.read_csv(out / "frontier_points.csv", comment="#")
    assert len(points) == 2 * 4
    assert points["mean_rows"].isna().all()  # these samples are from before rows and positions were counted


def test_claims_may_have_places_of_their_own_shares_and_margins(made) -> None:
    """A share of what the dear setting solves, not 60 points behind it, and ahead of the quota by so much."""
    config, results = made
    of = {"text": "T", "models": ["llada-micro"]}  # seven comparisons: what 300 draws can decide
    sides = {**of, "curve_a": "by-quota", "curve_b": "threshold", "at_b": "1/1"}
    over = {**of, "curve_a": "threshold", "curve_b": "by-quota", "also_at": ["5/16"]}
    claims = [
        {"id": "half", **sides, "at": "1/8", "least": 0.5},
        {"id": "a-little", **sides, "at": "1/4", "least": 0.1},
        {"id": "not-behind", **sides, "at": "1/4", "by": -0.6},
        {"id": "by-10", **over, "by": 0.1},
        {"id": "by-90", **over, "by": 0.9},
    ]
    asked = study(preregistration=claims)
    assert report(asked) != report(config)
    out = results.parent / "claims"
    produce_tables(asked, results, out)
    found = pd.read_csv(out / "frontier_claims.csv", comment="#")
    found = found.set_index("claim")
    assert found.loc["half", ["at", "at_b", "judgement"]].tolist() == ["1/8", "1/1", "contradicted"]
    half = found.loc["half"]
    assert half["difference"] == pytest.approx(half["a_percent"] - half["b_percent"] / 2, abs=0.01)
    assert found.loc["a-little", "judgement"] == found.loc["not-behind", "judgement"] == "confirmed"
    assert found.loc["by-10", "at"].tolist() == ["1/4", "5/16"]
    assert set(found.loc["by-10", "judgement"]) == {"confirmed"}
    assert set(found.loc["by-90", "judgement"]) == {"contradicted"}
    told = (out / "frontier_claims.md").read_text()
    assert "b counts 50 %" in told
    assert "above −60.0 points" in told
    assert told.count("(not equal)") == 2, "where the quota ends before, not where places differ on purpose"


def test_choices_are_made_on_validation_problems(made, synthetic, monkeypatch) -> None:
    """On them the dear setting is no better: it is not chosen, however good it is on the test problems."""
    config, results = made
    monkeypatch.setitem(synthetic.RATES, "threshold-0p9", {"1/1": (0.2, 10)})
    rows = tuple(row for row in expand(config) if row.benchmark == "he-validation")
    synthetic.write_results(results, rows, 80)
    outcomes = Sources(config, results).outcomes(expand(config))
    swept = swept_curves(config, outcomes)[0]
    assert swept.at(Fraction(1, 1)).label == "0.5"


def test_figures_hold_a_few_curves_and_the_reference(made) -> None:
    config, results = made
    paths = produce_figures(config, results, results.parent / "out", only=["frontier"])
    assert [path.name for path in paths] == ["frontier_1.png"]
    many = study(curves=[THRESHOLD, *({**MASK, "name": f"quota{n}"} for n in range(9))], preregistration=[])
    assert [name for name in figure_names(many) if name.startswith("frontier")] == [
        "frontier_1",
        "frontier_2",
    ]


def test_the_report_draws_the_curves_and_holds_their_tables(made) -> None:
    config, results = made
    page = produce_report(config, results, results.parent / "out" / "report.html").path.read_text()
    assert "Decoders as curves: problems solved against forward passes" in page
    assert "Claims about curves at equal NFE" in page
    assert "Of 2 comparisons of curves, registered before the run: 2 confirmed." in page


@pytest.mark.parametrize(
    ("frontier", "told"),
    [
        (
            {"reference": "thresold"},
            "frontier.reference: 'thresold' is not known here; did you mean 'threshold'",
        ),
        ({"validation": {"micropy-he": "nowhere"}}, "'nowhere' is not known here"),
        ({"preregistration": [{**CLAIM, "curve_a": "flow"}]}, "curve_a: 'flow' is not known here"),
        ({"preregistration": [{**CLAIM, "by": 0.1, "direction": "less"}]}, "`by` is of a claim"),
        ({"curves": [THRESHOLD, {**MASK, "values": ["a quarter"]}]}, "no values of budget"),
        ({"curves": [THRESHOLD, {**MASK, "name": "mask"}]}, "its arm 'mask' occurs twice"),
        ({"curves": [{**THRESHOLD, "settings": {"threshold": 0.7}}, MASK]}, "'threshold' is swept"),
        ({"curves": [THRESHOLD, {**MASK, "policy": "trained"}]}, "a trained policy depends on the seed"),
    ],
)
def test_what_cannot_be_swept_is_named(frontier, told) -> None:
    with pytest.raises(ConfigError, match=told):
        study(**frontier)


def test_the_shipped_study_registers_its_claims_and_sweeps_five_settings_of_each_decoder() -> None:
    config = load_study(ROOT / "config" / "frontier.yaml")
    assert len(config.frontier.preregistration) >= 10
    assert all(len(curve.values) >= 4 for curve in config.frontier.curves)
    assert {curve.decoder for curve in config.frontier.curves} >= {"threshold", "wino", "soft_tokens", "flow"}
