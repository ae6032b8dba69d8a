"""Decoders by their parts: arms, tables, claims and figures of block `factorial`, on made-up results."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from xpflow.errors import ConfigError
from xpflow.reporting.cells import factored
from xpflow.reporting.factorial import factorial_tables
from xpflow.reporting.from_config import plan_from_config
from xpflow.reporting.page.factorial import factorial_chart
from xpflow.reporting.page.grids import grid_of
from xpflow.reporting.produce import produce_figures, produce_tables
from xpflow.reporting.results import Outcomes, load_results
from xpflow.study.check import check_arms
from xpflow.study.config import StudyConfig, load_study, study_from_mapping
from xpflow.study.config.factorial import factorial_cells
from xpflow.study.fingerprints import report
from xpflow.study.rows import expand, trained_runs
from xpflow.study.stages import FACTORIAL_TABLES, figure_names, table_names

ROOT = Path(__file__).parents[3]
STATE = {
    "name": "state",
    "levels": [
        {"name": "hard", "settings": {"weight": 0.0}},
        {"name": "flow", "decoder": "composed_flow", "policy": "confidence:8"},
    ],
}
COMMIT = {
    "name": "commit",
    "levels": [
        {"name": "quota", "settings": {"rule": "quota"}},
        {
            "name": "sure",
            "settings": {"rule": "threshold"},
            "knob": "threshold",
            "values": [0.5, 0.9],
        },
    ],
}
REVISION = {
    "name": "revision",
    "levels": [
        {"name": "none", "settings": {"revision": "keep"}},
        {"name": "reedit", "settings": {"revision": "reedit"}},
    ],
}
IMPOSSIBLE = {"where": {"state": "hard", "revision": "reedit"}, "why": "nothing to go back to"}
GAIN = {"name": "to-flow", "start": {}, "goal": {"state": "flow", "commit": "sure", "revision": "reedit"}}
CLAIMS = [
    {"id": "flow-helps", "text": "Flow helps.", "factor": "state", "level": "flow"},
    {
        "id": "at-none",
        "text": "Without revision, too.",
        "factor": "state",
        "level": "flow",
        "given": {"revision": "none"},
    },
    {"id": "commit-more", "text": "Commits do more.", "factor": "commit", "path": "to-flow", "over": "state"},
]


def study(**factorial: Any) -> StudyConfig:
    block = {
        "factors": [STATE, COMMIT, REVISION],
        "impossible": [IMPOSSIBLE],
        "gains": [GAIN],
        "preregistration": CLAIMS,
        **factorial,
    }
    return study_from_mapping(
        {
            "study": {"name": "parts"},
            "models": [{"name": "llada-micro", "training": "full"}],
            "problems": {"benchmarks": [{"name": "micropy-he"}]},
            "evaluation": {
                "arms": [{"name": "mask", "decoder": "mask_prediction", "budgets": ["1/1"], "seeds": "first"}]
            },
            "reporting": {"bootstrap_samples": 300, "figure_formats": ["png"]},
            "factorial": block,
        }
    )


def rates(arm: Any) -> dict[str, tuple[float, float]]:
    """Return pass rate and NFE of an arm: flow adds 0.2, a threshold 0.3, re-editing nothing."""
    rate = 0.2 + 0.2 * (arm.decoder == "composed_flow") + 0.3 * (arm.settings.get("rule") == "threshold")
    swept = arm.settings.get("threshold")
    nfe = {"1/1": 4.0 if swept == 0.5 else 12.0, "1/8": 4.0, "1/4": 8.0}
    return {budget: (rate, nfe[budget]) for budget in map(str_of, arm.budgets)}


def str_of(budget: Fraction) -> str:
    return f"{budget.numerator}/{budget.denominator}"


@pytest.fixture
def made(synthetic, tmp_path: Path, monkeypatch) -> tuple[StudyConfig, Path]:
    config = study()
    monkeypatch.setitem(synthetic.RATES, "mask", {"1/1": (0.75, 32)})
    for _, arm in config.swept_arms:
        monkeypatch.setitem(synthetic.RATES, arm.name, rates(arm))
    synthetic.write_results(tmp_path / "parts", tuple(expand(config)), 80)
    return config, tmp_path / "parts"


def test_a_cell_is_one_level_of_every_factor_and_the_later_factor_wins() -> None:
    cells = {cell.levels: cell for cell in factorial_cells(study().factorial)}
    assert len(cells) == 8
    assert {levels for levels, cell in cells.items() if cell.curve is None} == {
        ("hard", "quota", "reedit"),
        ("hard", "sure", "reedit"),
    }
    arms = {arm.name: arm for cell in cells.values() for arm in cell.arms}
    quota, swept = arms["hard-quota-none"], arms["flow-sure-reedit-0p9"]
    assert (quota.decoder, quota.policy, quota.budgets) == (
        "composed",
        "none",
        (Fraction(1, 8), Fraction(1, 4)),
    )
    assert quota.settings == {"weight": 0.0, "rule": "quota", "revision": "keep"}
    assert (swept.decoder, swept.policy, swept.budgets) == ("composed_flow", "confidence:8", (Fraction(1),))
    assert swept.settings["threshold"] == 0.9
    check_arms(study(), "here")  # every arm can be decoded


def test_levels_of_weights_are_trainings_of_the_study() -> None:
    weights = {"name": "weights", "levels": [{"name": "base"}, {"name": "aligned", "weights": "paper"}]}
    config = study(factors=[STATE, COMMIT, REVISION, weights], impossible=[], gains=[], preregistration=[])
    assert trained_runs(config) == [("llada-micro", "paper", 0)]
    assert config.arm("flow-quota-none-paper").weights == "paper"
    assert config.arm("flow-quota-none").seeds == "first"


def test_tables_have_effects_shares_and_claims_at_equal_forwards(made) -> None:
    config, results = made
    out = results.parent / "out"
    produce_tables(config, results, out)
    assert {path.name for path in out.iterdir()} >= {f"{name}.md" for name in table_names(config)}
    cells = pd.read_csv(out / "factorial.csv", comment="#")
    assert len(cells) == 8
    assert cells["mean_nfe"].dropna().tolist() == [8.0] * 6
    assert cells["missing"].dropna().tolist() == ["nothing to go back to"] * 2
    effects = pd.read_csv(out / "factorial_effects.csv", comment="#").set_index("effect")
    state = effects.loc["state: flow − hard"]
    assert (state["contexts"], effects.loc["commit: sure − quota", "contexts"]) == (2, 3)
    assert 10 < state["low"] < 20 < state["high"] < 30
    assert abs(effects.loc["revision: reedit − none", "difference"]) < 8
    assert "state: flow − hard × commit: sure − quota" in effects.index
    assert (effects["holm_p"] >= effects["p"]).all()
    shares = pd.read_csv(out / "factorial_shares.csv", comment="#")
    whole, parts = shares[shares["factor"].isna()], shares[shares["factor"].notna()]
    assert parts["difference"].sum() == pytest.approx(whole["difference"].item(), abs=1e-3)
    assert parts["share"].sum() == pytest.approx(100, abs=1e-3)
    assert set(parts["orders"]) == {3}  # re-editing comes after flow
    claims = pd.read_csv(out / "factorial_claims.csv", comment="#").set_index("claim")
    assert claims.loc["flow-helps", "judgement"] == claims.loc["at-none", "judgement"] == "confirmed"
    assert claims.loc["commit-more", "difference"] == pytest.approx(10, abs=6)
    assert "**Registered of the parts of decoders" in (out / "claims.md").read_text()
    assert "nothing to go back to" in (out / "factorial.md").read_text()


def test_a_cell_that_is_too_dear_is_said_and_left_out(made, synthetic, monkeypatch) -> None:
    config, results = made
    monkeypatch.setitem(synthetic.RATES, "flow-quota-none", {"1/8": (0.9, 9.0), "1/4": (0.9, 20.0)})
    synthetic.write_results(results, tuple(row for row in expand(config) if row.arm == "flow-quota-none"), 80)
    out = results.parent / "out"
    produce_tables(config, results, out)
    cells = pd.read_csv(out / "factorial.csv", comment="#")
    assert cells["missing"].dropna().tolist()[-1] == "too dear: 9.0 forwards at least, for 1/4 of 32"
    effects = pd.read_csv(out / "factorial_effects.csv", comment="#").set_index("effect")
    assert effects.loc["state: flow − hard", "contexts"] == 1


def test_figure_and_page_show_the_parts(made) -> None:
    config, results = made
    paths = produce_figures(config, results, results.parent / "out", only=["factorial"])
    assert [path.name for path in paths] == ["factorial.png"]
    assert "factorial" in figure_names(config)
    plan, outcomes = plan_from_config(config), Outcomes(load_results(results, expand(config)))
    chart = factorial_chart(config, factored(config, outcomes))
    assert [look["name"] for look in chart.drawn["series"]] == ["hard", "flow"]
    [panel] = chart.drawn["panels"]
    assert [curve["x"] for curve in panel["curves"]] == [[1, 3], [1, 2, 3, 4]]  # two cells cannot exist
    assert "Most solved: llada-micro, micropy-he: flow, sure" in chart.text
    told = [grid_of(table) for table in factorial_tables(config, plan, outcomes)]
    assert [grid.label for grid in told] == list(FACTORIAL_TABLES)


def test_a_study_without_factors_is_as_before() -> None:
    plain = {"factors": [], "impossible": [], "gains": [], "preregistration": []}
    assert not {"factorial", "factorial_claims"} & {
        *table_names(study(**plain)),
        *figure_names(study(**plain)),
    }
    assert report(study(**plain)) == report(study(**plain, at="1/2"))
    assert report(study()) != report(study(at="1/2"))


@pytest.mark.parametrize(
    ("factorial", "told"),
    [
        (
            {"impossible": [{"where": {"state": "flw"}, "why": "?"}]},
            "'flw' is not known here; did you mean 'flow'",
        ),
        ({"gains": [{**GAIN, "goal": {"sate": "flow"}}]}, "'sate' is not known here"),
        ({"gains": [{**GAIN, "goal": {"revision": "reedit"}}]}, "cannot exist: nothing to go back to"),
        ({"preregistration": [{**CLAIMS[0], "level": "fast"}]}, "'fast' is not known here"),
        (
            {"preregistration": [{**CLAIMS[0], "level": None}]},
            "a claim has a `level`, or a `path` and `over`",
        ),
        ({"preregistration": [{**CLAIMS[2], "over": None}]}, "a claim has a `level`, or a `path` and `over`"),
        ({"preregistration": [{**CLAIMS[0], "given": {"state": "flow"}}]}, "is the factor that the claim is"),
        ({"factors": [STATE, {**COMMIT, "name": "state"}, REVISION]}, "'state' occurs twice"),
        (
            {
                "factors": [
                    STATE,
                    COMMIT,
                    {**REVISION, "levels": [*REVISION["levels"], {"name": "no", "weights": "x"}]},
                ]
            },
            "'x' is not known here",
        ),
        (
            {
                "factors": [
                    {**STATE, "levels": [STATE["levels"][0], {"name": "b", "knob": "threshold"}]},
                    COMMIT,
                    REVISION,
                ]
            },
            "a knob needs values",
        ),
    ],
)
def test_what_cannot_be_combined_is_named(factorial, told) -> None:
    with pytest.raises(ConfigError, match=told):
        study(**factorial)


def test_two_knobs_of_one_cell_and_equal_cells_are_refused() -> None:
    swept = {**STATE["levels"][1], "knob": "budget", "values": ["1/8"]}
    free = {"impossible": [], "gains": [], "preregistration": []}
    with pytest.raises(ConfigError, match="the levels flow and sure both have a knob"):
        study(factors=[{**STATE, "levels": [STATE["levels"][0], swept]}, COMMIT], **free)
    same = {"name": "weights", "levels": [{"name": "one"}, {"name": "two"}]}
    with pytest.raises(ConfigError, match="occurs twice"):
        study(factors=[STATE, same], **free)


def test_the_shipped_study_combines_four_parts_and_registers_its_claims() -> None:
    block = load_study(ROOT / "config" / "factorial.yaml").factorial
    assert {factor.name: len(factor.levels) for factor in block.factors} == {
        "state": 4,
        "commit": 3,
        "revision": 4,
        "weights": 3,
    }
    missing = [cell.levels for cell in factorial_cells(block) if cell.curve is None]
    assert len(missing) == 9
    assert {levels[0] for levels in missing} == {"hard"}
    assert len(block.preregistration) >= 10
