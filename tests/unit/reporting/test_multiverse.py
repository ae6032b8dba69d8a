"""Readings of a paper: universes, tables, claims and figures of block `multiverse`, on made-up results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from xpflow.decoding import settings_from
from xpflow.errors import ConfigError
from xpflow.reporting.page.build import produce_report
from xpflow.reporting.produce import produce_figures, produce_tables
from xpflow.reporting.readings import best_reading, universes_read
from xpflow.reporting.results import Outcomes, load_results
from xpflow.study.check import check_arms
from xpflow.study.config import StudyConfig, load_study, study_from_mapping
from xpflow.study.config.multiverse import multiverse
from xpflow.study.fingerprints import report
from xpflow.study.rows import expand
from xpflow.study.stages import figure_names, table_names

ROOT = Path(__file__).parents[3]
ORDER = {
    "name": "order",
    "setting": "update_order",
    "point": 1,
    "values": ["flow_first", "reedit_first"],
    "needs": {"reedit": True},
}
TESTED = {
    "name": "tested-t",
    "setting": "reedit_t",
    "point": 2,
    "values": ["after", "before"],
    "needs": {"reedit": True, "update_order": "flow_first"},
}
READOUT = {
    "name": "readout",
    "setting": "readout",
    "point": 6,
    "values": ["held", "last_prediction", "extra_forward"],
}
REEDIT = {"name": "no-reedit", "settings": {"reedit": False}}
CLAIMS = [
    {"id": "over-mask", "text": "Flow is ahead of mask prediction.", "b": "mask"},
    {"id": "kept", "text": "Flow keeps most of it.", "b": "mask", "budget_b": "1/1", "least": 0.9},
    {"id": "reedit", "text": "Re-editing helps.", "b": "no-reedit"},
]


def study(more: dict[str, Any] | None = None, **block: Any) -> StudyConfig:
    return study_from_mapping(
        {
            "study": {"name": "readings"},
            "models": [{"name": "llada-micro", "training": "full"}],
            "problems": {
                "benchmarks": [
                    {"name": "micropy-he"},
                    {"name": "he-validation", "source": "micropy-he", "split": "validation"},
                ]
            },
            "evaluation": {
                "arms": [
                    {
                        "name": "mask",
                        "decoder": "mask_prediction",
                        "budgets": ["1/4", "1/1"],
                        "seeds": "first",
                    }
                ]
            },
            "reporting": {"bootstrap_samples": 300, "figure_formats": ["png"]},
            "multiverse": {
                "readings": [ORDER, TESTED, READOUT],
                "weights": "base",
                "policy": "confidence:8",
                "variants": [REEDIT],
                "validation": {"micropy-he": "he-validation"},
                "preregistration": CLAIMS,
                "repeats": 2,
                **block,
            },
            **(more or {}),
        }
    )


def rates(arm: Any) -> dict[str, tuple[float, float]]:
    """Return pass rate and NFE of an arm: re-editing first solves 0.3 more, an extra forward 0.2 more."""
    first = arm.settings.get("update_order") == "reedit_first"
    extra = arm.settings["readout"] == "extra_forward"
    rate = 0.4 + 0.3 * first + 0.2 * extra - 0.2 * (arm.settings.get("reedit") is False)
    return {"1/4": (rate, 9.0 if extra else 8.0)}


@pytest.fixture
def made(synthetic, tmp_path: Path, monkeypatch) -> tuple[StudyConfig, Path]:
    config = study()
    monkeypatch.setitem(synthetic.RATES, "mask", {"1/4": (0.25, 8), "1/1": (0.75, 32)})
    for _, arm in config.swept_arms:
        monkeypatch.setitem(synthetic.RATES, arm.name, rates(arm))
    synthetic.write_results(tmp_path / "readings", tuple(expand(config)), 80)
    return config, tmp_path / "readings"


def test_binary_readings_are_crossed_and_the_others_drawn_with_a_seed() -> None:
    universes, _ = multiverse(study().multiverse)
    assert universes[0].values == {"order": "flow_first", "tested-t": "after", "readout": "held"}
    combinations = {(one.values["order"], one.values["tested-t"]) for one in universes}
    assert combinations == {("flow_first", "after"), ("flow_first", "before"), ("reedit_first", "after")}
    assert len({tuple(one.values.values()) for one in universes}) == len(universes)
    assert multiverse(study().multiverse) == multiverse(study().multiverse)
    other = multiverse(study(seed=1, repeats=3).multiverse)[0]
    assert [one.values for one in other] != [one.values for one in universes]


def test_each_value_of_the_others_is_drawn_equally_often() -> None:
    binary = [
        {"name": "at-one", "setting": "at_one", "values": ["hold", "move"]},
        {"name": "near-one", "setting": "near_one", "values": ["flow", "snap"]},
        {"name": "expectation", "setting": "expectation", "values": ["A", "B"]},
    ]
    readout = {**READOUT, "values": [*READOUT["values"], "nearest"]}
    plain = {"readings": [*binary, readout], "variants": [], "preregistration": [], "repeats": 1}
    for seed in range(5):
        found, _ = multiverse(study(**plain, seed=seed).multiverse)
        drawn = [one.values["readout"] for one in found]
        assert all(drawn.count(value) in (2, 3) for value in readout["values"])  # two each, and the default


def test_without_others_every_combination_is_run_once() -> None:
    universes, arms = multiverse(study(readings=[ORDER, TESTED], repeats=1).multiverse)
    assert len(universes) == 3
    assert [arm.name for arm in arms] == [*(f"reading-{k}" for k in range(3)), "reading-0-no-reedit"]
    assert [arm.benchmarks for arm in arms] == [(), (), (), ("micropy-he",)]


def test_a_reading_that_means_nothing_in_a_variant_is_left_out_and_equal_arms_are_one() -> None:
    universes, arms = multiverse(study().multiverse)
    settings = {arm.name: arm.settings for arm in arms}
    for one in universes:
        without = settings[one.arms["no-reedit"]]
        assert without == {"reedit": False, "readout": one.values["readout"]}
    readouts = {one.values["readout"] for one in universes}
    assert len({one.arms["no-reedit"] for one in universes}) == len(readouts)
    check_arms(study(), "here")  # every arm can be decoded, and no setting of it does nothing


def test_policy_and_weights_can_be_read_in_several_ways() -> None:
    policies = {"name": "policy", "setting": "policy", "values": ["confidence:8", "constant:1"]}
    weights = {"name": "loss", "setting": "weights", "values": ["paper", "preserving"]}
    universes, arms = multiverse(
        study(readings=[policies, weights], variants=[], preregistration=[], repeats=1).multiverse
    )
    assert [(arm.policy, arm.weights, arm.settings) for arm in arms] == [
        ("confidence:8", "paper", {}),
        ("confidence:8", "preserving", {}),
        ("constant:1", "paper", {}),
        ("constant:1", "preserving", {}),
    ]
    assert len(universes) == 4


def test_the_best_reading_is_chosen_on_validation_and_keeps_to_the_budget(
    made, synthetic, monkeypatch
) -> None:
    """An extra forward is no reading of a quarter of the budget; the test problems have no say."""
    config, results = made
    universes, _ = multiverse(config.multiverse)
    best = [one for one in universes if one.values["order"] == "reedit_first"]
    plain = next(one for one in best if one.values["readout"] != "extra_forward")
    assert any(one.values["readout"] == "extra_forward" for one in universes)
    places = universes_read(config, Outcomes(load_results(results, expand(config))))
    assert best_reading(config, places, "llada-micro").values["order"] == "reedit_first"
    assert best_reading(config, places, "llada-micro").values["readout"] != "extra_forward"
    monkeypatch.setitem(synthetic.RATES, plain.arms["whole"], {"1/4": (0.05, 8.0)})
    worse = [
        row for row in expand(config) if row.arm == plain.arms["whole"] and row.benchmark == "micropy-he"
    ]
    synthetic.write_results(results, tuple(worse), 80)
    again = universes_read(config, Outcomes(load_results(results, expand(config))))
    assert best_reading(config, again, "llada-micro") == best_reading(config, places, "llada-micro")


def test_tables_have_the_readings_their_claims_and_two_rows_of_table_1(made) -> None:
    config, results = made
    out = results.parent / "out"
    produce_tables(config, results, out)
    assert {path.name for path in out.iterdir()} >= {f"{name}.md" for name in table_names(config)}
    universes, _ = multiverse(config.multiverse)
    curve = pd.read_csv(out / "multiverse.csv", comment="#")
    assert len(curve) == len(universes)
    assert curve["validation_percent"].is_monotonic_decreasing
    [best] = curve[curve["best"]].to_dict("records")
    assert (best["order"], best["mean_nfe"]) == ("reedit_first", 8.0)
    claims = pd.read_csv(out / "multiverse_claims.csv", comment="#").set_index("claim")
    assert claims.loc["over-mask", "share"] == 100
    assert 0 < claims.loc["kept", "share"] < 100
    assert not claims.loc["kept", "holds under the default"]
    assert claims.loc["over-mask", "confirmed"] > claims.loc["kept", "confirmed"]
    readings = pd.read_csv(out / "multiverse_readings.csv", comment="#").set_index(["reading", "value"])
    assert 15 < readings.loc[("order", "reedit_first"), "difference"] < 45
    assert readings.loc[("tested-t", "after"), "universes"] < len(universes)  # it means nothing everywhere
    first = (out / "table1.md").read_text()
    assert "flow, default reading" in first
    assert "flow, best reading for llada-micro" in first
    assert "reading-0: flow, default reading" in first


def test_figure_and_page_show_the_curve(made) -> None:
    config, results = made
    paths = produce_figures(config, results, results.parent / "out", only=["multiverse"])
    assert [path.name for path in paths] == ["multiverse.png"]
    assert "multiverse" in figure_names(config)
    page = produce_report(config, results, results.parent / "out" / "report.html").path.read_text()
    for text in (
        "Every reading of what the paper leaves open",
        "What each open point does",
        "best reading for",
        "holds under 100 % of ",
        "many readings of what the paper leaves open",
    ):
        assert text in page


def test_a_study_without_readings_is_as_before() -> None:
    none = {"readings": [], "preregistration": [], "repeats": 1}
    plain = study(**none)
    assert not {"multiverse", "multiverse_claims"} & {*table_names(plain), *figure_names(plain)}
    assert report(plain) == report(study(**none, seed=7))
    assert report(study()) != report(study(seed=7))


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ({"weights": "papr"}, "'papr' is not known here; did you mean 'paper'"),
        ({"preregistration": [{**CLAIMS[0], "b": "maks"}]}, "'maks' is not known here; did you mean 'mask'"),
        ({"preregistration": [{**CLAIMS[0], "budget_b": "1/2"}]}, "arm 'mask' is not run at budget 1/2"),
        ({"validation": {"micropy-he": "nowhere"}}, "'nowhere' is not known here"),
        ({"validation": {"he-validation": "he-validation"}}, "'micropy-he' has no validation benchmark"),
        ({"settings": {"readout": "held"}}, "'readout' is read in several ways"),
        ({"readings": [ORDER, ORDER]}, "'order' occurs twice"),
        ({"readings": [{**ORDER, "values": ["flow_first", "flow_first"]}]}, "'flow_first' occurs twice"),
        ({"variants": [REEDIT, {"name": "whole"}]}, "'whole' is the decoder with all its parts"),
        ({"variants": [REEDIT, REEDIT]}, "'no-reedit' occurs twice"),
        ({"variants": [REEDIT, {"name": "x", "settings": {"policy": "shipped"}}]}, "keys beside `settings`"),
    ],
)
def test_what_cannot_be_read_is_named(block, told) -> None:
    with pytest.raises(ConfigError, match=told):
        study(**block)


def test_the_shipped_study_reads_every_open_point_of_the_decoder_and_registers_the_claims() -> None:
    block = load_study(ROOT / "config" / "multiverse.yaml").multiverse
    assert {reading.point for reading in block.readings} == {1, 2, 3, 4, 5, 6, 8, 9, 13}
    defaults = settings_from("flow", {"suppress": "special"})  # as every study has it
    for reading in block.readings:
        own = {"policy": "shipped"}.get(reading.setting) or getattr(defaults, reading.setting)
        assert reading.values[0] == own
    assert {claim.b for claim in block.preregistration} >= {"no-commit", "no-reedit", "no-alignment"}
