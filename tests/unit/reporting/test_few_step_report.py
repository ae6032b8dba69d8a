"""The study of few steps in tables, figures and report, on made-up results; and what training has cost."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from xpflow.artifacts.manifest import Manifest, write_manifest
from xpflow.errors import ConfigError
from xpflow.reporting.page.build import produce_report
from xpflow.reporting.produce import produce_figures, produce_tables
from xpflow.study.config import StudyConfig, load_study, study_from_mapping
from xpflow.study.fingerprints import report
from xpflow.study.layout import Layout, manifest_of
from xpflow.study.rows import expand, trained_runs
from xpflow.study.stages import figure_names, table_names

CONFIG = Path(__file__).parents[3] / "config"
TOOK = {"updates": 80, "answers": 100, "tokens": 8e6, "forwards": 300, "backwards": 100, "seconds": 60.0}
Made = tuple[StudyConfig, Path]


def rates(config: StudyConfig) -> dict[str, dict[str, tuple[float, float]]]:
    """Return pass rate and NFE of every arm: trained weights solve at few forwards as much as at many."""
    found = {}
    for arm in config.arms:
        threshold = arm.settings.get("threshold")
        for budget in arm.budgets or config.evaluation.budgets:
            nfe = 32 * float(budget) if threshold is None else 1 + 9 * float(threshold) ** 3
            rate = min(0.9, 0.05 * nfe) if arm.weights in ("base", "paper", "mixed") else 0.9
            found.setdefault(arm.name, {})[f"{budget.numerator}/{budget.denominator}"] = (rate, nfe)
    return found


@pytest.fixture(scope="module")
def made(synthetic: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The study with the settings of config/few-step.yaml but few draws, and made-up results of it."""
    folder = tmp_path_factory.mktemp("few-step")
    study = {
        "extends": str(CONFIG / "few-step.yaml"),
        "reporting": {"bootstrap_samples": 200, "figure_formats": ["png"]},
    }
    (folder / "few.yaml").write_text(repr(study))
    config, results = load_study(folder / "few.yaml"), folder / "results/few-step"
    with pytest.MonkeyPatch.context() as patch:
        for arm, found in rates(config).items():
            patch.setitem(synthetic.RATES, arm, found)
        synthetic.write_results(results, tuple(expand(config)), 20)
    synthetic.write_alignment(results, config)
    return config, results


def note(config: StudyConfig, results: Path) -> None:
    """Note what every training took, as `xpflow train` does."""
    for run in trained_runs(config):
        path = manifest_of(Layout.of_results(results).run(*run) / "train")
        made = Manifest((), {"command": "train"}, ("xpflow",), {}, "", facts={"training": TOOK})
        write_manifest(path, made)


def test_a_table_says_what_each_point_gained_has_cost(made: Made) -> None:
    config, results = made
    note(config, results)
    out = results.parent / "out"
    produce_tables(config, results, out)
    assert {path.name for path in out.iterdir()} >= {f"{name}.md" for name in table_names(config)}
    found = pd.read_csv(out / "training_cost.csv", comment="#").set_index("curve")
    trained = set(config.frontier.names) - {"threshold", "full-budget"}
    assert set(found.index) == trained
    ours, rounds = found.loc["threshold-forced"], found.loc["threshold-sdtt"]
    assert ours[["updates", "tokens", "forwards", "seconds"]].tolist() == [80, 8e6, 500, 60]
    assert rounds[["updates", "seconds"]].tolist() == [240, 180], "with the rounds that it starts from"
    assert ours["low at 1/8"] > 0
    assert ours["seconds a point at 1/8"] == pytest.approx(60 / ours["gained at 1/8"], rel=1e-3)
    assert ours["forwards a point at 1/8"] == pytest.approx(500 / ours["gained at 1/8"], rel=1e-3)
    sure = found["low at 1/8"] > 0
    assert found["seconds a point at 1/8"].notna().tolist() == sure.tolist()
    assert not sure["flow-mixed"], "it gains nothing, and so has no cost of a point"
    told = (out / "training_cost.md").read_text()
    assert "s, " in told
    assert "over threshold with their interval" in told


def test_what_was_not_noted_is_a_dash_and_said_and_so_is_how_many_answers_passed(made: Made) -> None:
    made_of, results = made
    runs = [
        run.model_copy(update={"answers": "passed"}) if run.name in ("forced", "control") else run
        for run in made_of.training.runs
    ]
    training = made_of.training.model_copy(update={"runs": tuple(runs)})
    config = made_of.model_copy(update={"training": training})
    note(config, results)
    kept = {**TOOK, "answers_passed": 3801, "answers_asked": 4096}
    path = manifest_of(Layout.of_results(results).run("llada-micro", "forced", 0) / "train")
    write_manifest(path, Manifest((), {"command": "train"}, ("xpflow",), {}, "", facts={"training": kept}))
    manifest_of(Layout.of_results(results).run("llada-micro", "sdtt-1", 0) / "train").unlink()
    out = results.parent / "unknown"
    produce_tables(config, results, out)
    found = pd.read_csv(out / "training_cost.csv", comment="#").set_index("curve")
    assert found["seconds"].isna().tolist() == [name == "threshold-sdtt" for name in found.index]
    told, alone = (out / "training_cost.md").read_text(), "learned from answers that passed their tests alone"
    assert "llada-micro, sdtt: what it took was not noted" in told
    assert f"llada-micro, forced: {alone}, by seed 3801 of 4096." in told
    assert f"llada-micro, control: {alone}, by seed not noted." in told
    assert told.count(alone) == 2


@pytest.mark.long
def test_the_study_is_drawn_and_told_to_its_end(made: Made) -> None:
    config, results = made
    out = results.parent / "drawn"
    names = {path.stem for path in produce_figures(config, results, out)}
    assert names == set(figure_names(config)) - {"trace"}
    page = produce_report(config, results, out / "report.html").path.read_text()
    assert "Cost of training, and of a point gained" in page


def test_the_table_has_to_be_asked_for_and_needs_curves_on_trained_weights(made: Made) -> None:
    config, _ = made
    without = config.model_copy(
        update={"reporting": config.reporting.model_copy(update={"training_cost": False})}
    )
    assert set(table_names(config)) - set(table_names(without)) == {"training_cost"}
    assert report(config) != report(without)
    with pytest.raises(ConfigError, match="no curve of `frontier` has trained weights"):
        study_from_mapping({"reporting": {"training_cost": True}})
