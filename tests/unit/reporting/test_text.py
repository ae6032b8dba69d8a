"""Tables, claims, figures and page of block `text`, on made-up scores that can be reckoned by hand."""

from __future__ import annotations

import json
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fakes import text_scores as made_up
from xpflow.errors import ArtifactError
from xpflow.reporting.from_config import plan_from_config
from xpflow.reporting.page.build import produce_report
from xpflow.reporting.produce import produce_figures, produce_tables
from xpflow.reporting.summary import summarize
from xpflow.reporting.text_claims import JudgedText, judged_text
from xpflow.reporting.text_kinds import matches, noisy_masks, taught_alike, taught_by
from xpflow.reporting.text_published import IMDM, LOMDM, PUBLISHED
from xpflow.reporting.text_results import found_at, load_trained, reported
from xpflow.reporting.text_units import NATS, SHARE, interval_text
from xpflow.stats.intervals import Interval
from xpflow.study.config import StudyConfig
from xpflow.study.layout import Layout
from xpflow.study.stages import figure_names, table_names
from xpflow.training.text_scores import load_scores

MDM = np.array([0.618, 0.793, 0.651])
DIGITS = 1e-5  # of a CSV, which has six
LEARNED = np.array([0.394, 0.672, 0.403])
LOWER = {
    "id": "lower",
    "text": "A learned order lies lower.",
    "measure": "excess",
    "world": "orders",
    "run_a": "lomdm",
    "run_b": "mdm",
}


def claims(*more: dict[str, Any]) -> list[dict[str, Any]]:
    """Return claims that differ from LOWER by these keys."""
    return [{**LOWER, "id": f"claim-{number}", **one} for number, one in enumerate(more)]


def orders(tmp_path: Path, seeds: int = 3, *more: dict[str, Any]) -> tuple[StudyConfig, Path]:
    """Write a study of learned orders; returns it and its folder of results."""
    config = made_up.study(
        made_up.LOMDM, ["orders", "english"], seeds, preregistration=claims(*(more or ({},)))
    )
    made_up.write(config, tmp_path / "small", made_up.of_orders(seeds))
    return config, tmp_path / "small"


def masks(tmp_path: Path, **block: Any) -> tuple[StudyConfig, Path]:
    """Write a study of masks with noise; returns it and its folder of results."""
    config = made_up.study(made_up.IMDM, ["agreement-8-3"], **block)
    made_up.write(config, tmp_path / "small", made_up.of_masks())
    return config, tmp_path / "small"


def judged(config: StudyConfig, results: Path) -> list[JudgedText]:
    """Return the judged claims of a study."""
    return judged_text(config, plan_from_config(config), load_trained(config, results))


def table(out: Path, name: str) -> pd.DataFrame:
    """Read the CSV of a table."""
    return pd.read_csv(out / f"{name}.csv", comment="#")


@pytest.mark.parametrize("write", [orders, masks])
def test_the_fixture_is_what_training_writes(tmp_path: Path, write: Any) -> None:
    config, results = write(tmp_path)
    for world, run in config.text.pairs:
        found = load_scores(Layout.of_results(results).text_scores(world, run.name, 0))
        assert found.length == made_up.LENGTH[world]


def test_numbers_are_in_nats_a_token(tmp_path: Path) -> None:
    config, results = orders(tmp_path)
    one = found_at(load_trained(config, results), "orders", "lomdm")
    assert one.bound("excess") == pytest.approx(LEARNED)
    assert one.bound("main") + one.bound("velocity") == pytest.approx(LEARNED)
    assert one.bound("excess", off=True) == pytest.approx(1.5 * LEARNED)
    assert one.bound("excess", "orders-transitions") == pytest.approx(2 * LEARNED)
    assert one.measured("sample_excess", steps=4) == pytest.approx(LEARNED / 4)
    assert one.measured("order_entropy") == pytest.approx([0.94] * 3)
    assert np.isnan(one.measured("agreement")).all()
    x_K, y_KS = one.curve()
    assert x_K == pytest.approx(64 * 3 * np.array([300, 600, 900, 1200]))
    assert y_KS[-1] == pytest.approx(LEARNED)


def test_bounds_have_t_intervals_and_pairs_of_seeds(tmp_path: Path) -> None:
    config, results = orders(tmp_path)
    produce_tables(config, results, tmp_path / "out")
    row = table(tmp_path / "out", "text_bounds").set_index(["world", "run"]).loc[("orders", "lomdm")]
    alone = stats.ttest_1samp(LEARNED, 0.0).confidence_interval(0.95)
    pairs = stats.ttest_rel(LEARNED, MDM).confidence_interval(0.95)
    assert row["excess"] == pytest.approx(LEARNED.mean())
    assert (row["excess_low"], row["excess_high"]) == pytest.approx((alone.low, alone.high), rel=DIGITS)
    assert row["against_first"] == pytest.approx((LEARNED - MDM).mean(), rel=DIGITS)
    assert (row["against_first_low"], row["against_first_high"]) == pytest.approx(
        (pairs.low, pairs.high), rel=DIGITS
    )
    assert (row["forwards_update"], row["forwards_run"]) == (3, 3600)


def test_one_seed_gives_dashes_and_decides_nothing(tmp_path: Path) -> None:
    config, results = orders(tmp_path, 1)
    produce_tables(config, results, tmp_path / "out")
    text = (tmp_path / "out" / "text_bounds.md").read_text()
    assert "0.394<br>[–]" in text
    assert "−0.224 [–]" in text
    assert table(tmp_path / "out", "text_bounds")["excess_low"].isna().all()
    [one] = judged(config, results)
    assert (one.judgement, one.holm_p) == ("undecided: too few", 1.0)
    [claim] = json.loads((tmp_path / "out" / "claims.json").read_text())
    assert (claim["low"], claim["high"], claim["judgement"]) == (None, None, "undecided: too few")
    assert "nats a token [–]" in (tmp_path / "out" / "claims.md").read_text()


def test_claims_are_paired_tested_and_corrected(tmp_path: Path) -> None:
    config, results = orders(
        tmp_path,
        3,
        {},
        {"direction": "greater"},
        {"run_b": None, "direction": "different", "value": 0.5},
        {"value": -0.19},
        {"measure": "excess", "domain": "orders-transitions"},
    )
    found = judged(config, results)
    wanted = [
        stats.ttest_rel(LEARNED, MDM).pvalue,
        stats.ttest_rel(LEARNED, MDM).pvalue,
        stats.ttest_1samp(LEARNED, 0.5).pvalue,
        stats.ttest_1samp(LEARNED - MDM, -0.19).pvalue,
        stats.ttest_rel(2 * LEARNED, 2 * MDM).pvalue,
    ]
    assert [one.found.p_value for one in found if one.found] == pytest.approx(wanted)
    assert found[0].holm_p == pytest.approx(min(1.0, 5 * min(wanted)))
    assert [one.judgement for one in found][2:4] == ["undecided", "undecided"]
    assert found[0].holm_p > 0.05  # three seeds survive no correction over five
    assert found[0].judgement == "undecided"


def test_a_claim_alone_is_confirmed_or_contradicted(tmp_path: Path) -> None:
    config, results = orders(tmp_path)
    [lower] = judged(config, results)
    assert lower.judgement == "confirmed"
    config, results = orders(tmp_path, 3, {"direction": "greater"})
    [greater] = judged(config, results)
    assert greater.judgement == "contradicted"
    config, results = orders(tmp_path, 2)
    [two] = judged(config, results)
    assert two.judgement == "undecided: too few"


def test_equal_seeds_decide_nothing(tmp_path: Path) -> None:
    config, results = orders(tmp_path, 3, {"measure": "invalid", "steps": 4, "direction": "different"})
    [one] = judged(config, results)
    assert one.found is not None
    assert (one.found.interval, one.judgement) == (None, "undecided")


def test_a_seed_without_the_number_decides_nothing(tmp_path: Path) -> None:
    config, results = orders(tmp_path, 5, {"measure": "sample_excess", "steps": 1})
    [whole] = judged(config, results)
    assert whole.judgement == "confirmed"
    path = Layout.of_results(results).text_scores("orders", "lomdm", 3)
    scores = json.loads(path.read_text())
    del scores["samples"]["1"]["excess"]
    path.write_text(json.dumps(scores))
    [one] = judged(config, results)
    assert one.found is not None
    assert (one.found.n_seeds, one.judgement) == (4, "undecided: too few")
    produce_tables(config, results, tmp_path / "out")
    assert "(4 of 5 seeds)" in (tmp_path / "out" / "text_samples.md").read_text()


def test_missing_keys_are_dashes(tmp_path: Path) -> None:
    config, results = orders(tmp_path)
    for seed in range(3):
        path = Layout.of_results(results).text_scores("orders", "lomdm", seed)
        kept = {
            name: value
            for name, value in json.loads(path.read_text()).items()
            if name not in ("order_off", "orders", "oracle", "curve", "domains", "parameters")
        }
        path.write_text(json.dumps({**kept, "samples": {}}))
    out = tmp_path / "out"
    produce_tables(config, results, out)
    [row] = [
        line for line in (out / "text_orders.md").read_text().splitlines() if "| orders | LoMDM (" in line
    ]
    assert row.count("–") == 7
    samples = table(out, "text_samples").set_index(["world", "run"]).loc[("orders", "lomdm")]
    assert samples["nfe"].isna().all()
    produce_figures(config, results, out)
    assert produce_report(config, results, out / "report.html").size


def test_samples_never_lack_the_entropy(tmp_path: Path) -> None:
    config, results = orders(tmp_path)
    produce_tables(config, results, tmp_path / "out")
    found = table(tmp_path / "out", "text_samples")
    assert found["unigram_entropy"].notna().all()
    assert (found["language_unigram_entropy"] == 3.0).all()
    assert set(found["steps"]) == {1, 4, 16}


def test_agreement_stands_beside_its_own_ceiling(tmp_path: Path) -> None:
    config, results = masks(tmp_path)
    produce_tables(config, results, tmp_path / "out")
    found = table(tmp_path / "out", "text_agreement").set_index("run")
    assert found.loc["base", "times"] == pytest.approx(1.0)
    assert found.loc["redi", "agreement"] == pytest.approx(0.44)
    assert found.loc["redi", "times"] == pytest.approx(20 * (1.0 * 1.1 * 1.2) ** (1 / 3), rel=DIGITS)
    assert (found.loc["redi", "couplings"], found.loc["redi", "epochs"]) == (512, 100)
    assert found.loc["redi", "information"] == pytest.approx(
        np.mean([log(20 * x) for x in (1.0, 1.1, 1.2)]), rel=DIGITS
    )


def test_kinds_are_read_from_settings(tmp_path: Path) -> None:
    config, _ = masks(tmp_path)
    runs, block = {run.name: run for run in config.text.runs}, config.text
    kinds = {
        name: (taught_by(block, run, "agreement-8-3"), noisy_masks(block, run, "agreement-8-3"))
        for name, run in runs.items()
    }
    assert kinds == {
        "base": ("bound", False),
        "noisy": ("bound", True),
        "redi": ("ReDi 512", True),
        "redi-plain": ("ReDi 512", False),
    }


def test_plain_and_noisy_masks_stand_beside_each_other_at_equal_updates(tmp_path: Path) -> None:
    shorter = {**made_up.IMDM[2], "name": "redi-short", "updates": 100}
    config = made_up.study([*made_up.IMDM, shorter], ["agreement-8-3"])
    scores = made_up.of_masks()
    scores["agreement-8-3", "redi-short"] = scores["agreement-8-3", "redi"]
    made_up.write(config, tmp_path / "small", scores)
    found = taught_alike(config.text, load_trained(config, tmp_path / "small"))
    assert [(one.label, *(side and side.run.name for side in (one.plain, one.noisy))) for one in found] == [
        ("bound", "base", "noisy"),
        ("ReDi 512, 800 updates", "redi-plain", "redi"),
        ("ReDi 512, 100 updates", None, "redi-short"),
    ]


@pytest.mark.parametrize(
    ("low", "high", "unit", "text"),
    [
        (0.1, 0.2, NATS, "[0.100, 0.200]"),
        (2e-5, 4e-5, NATS, "[2e-05, 4e-05]"),
        (0.99996, 0.99998, SHARE, "[99.996, 99.998]"),
        (-1e-9, 1e-9, SHARE, "[−1.0e-07, 1.0e-07]"),
    ],
)
def test_no_interval_looks_like_a_point(low: float, high: float, unit: str, text: str) -> None:
    assert interval_text(Interval(low, high), unit) == text


def test_what_a_run_starts_from_counts_as_spent(tmp_path: Path) -> None:
    config, results = masks(tmp_path)
    trained = load_trained(config, results)
    redi = found_at(trained, "agreement-8-3", "redi")
    assert redi.before == 64 * 1200
    assert redi.curve()[0][-1] == redi.spent == 64 * (1200 + 800)


def test_a_share_has_an_interval_of_shares(tmp_path: Path) -> None:
    config, results = masks(tmp_path)
    for seed, share in enumerate((0.001, 0.002, 0.3)):
        path = Layout.of_results(results).text_scores("agreement-8-3", "redi", seed)
        scores = json.loads(path.read_text())
        scores["one_step"]["agreement"] = share
        path.write_text(json.dumps(scores))
    produce_tables(config, results, tmp_path / "out")
    row = table(tmp_path / "out", "text_agreement").set_index("run").loc["redi"]
    assert stats.ttest_1samp([0.001, 0.002, 0.3], 0).confidence_interval(0.95).low < 0
    assert row["agreement_low"] == 0.0


def test_learned_orders_are_matched_at_equal_cost(tmp_path: Path) -> None:
    config, results = orders(tmp_path)
    found = matches(config.text, reported(load_trained(config, results))["orders"])
    assert [(one.learned.run.name, one.plain.run.name, one.equal) for one in found][:3] == [
        ("lomdm", "mdm", "updates"),
        ("lomdm", "mdm-2", "noisy states"),
        ("lomdm", "mdm-3", "forwards"),
    ]


def test_published_numbers_stand_apart_and_share_only_the_change(tmp_path: Path) -> None:
    config, results = orders(tmp_path)
    produce_tables(config, results, tmp_path / "out")
    found = table(tmp_path / "out", "text_published")
    assert set(found["paper"]) == {f"arXiv:{LOMDM}"}
    bound = found[(found["data"] == "LM1B") & (found["baseline"] == "MDLM")].iloc[0]
    assert bound["published_nats"] == pytest.approx(log(25.4 / 27.0), rel=DIGITS)
    assert bound["ours orders"] == pytest.approx((LEARNED - MDM).mean(), rel=DIGITS)
    assert found[found["baseline"] == "BD3-LM"]["ours orders"].isna().all()
    text = (tmp_path / "out" / "text_published.md").read_text()
    assert "never a reproduction" in text
    assert "could not be read" in text


def test_a_world_that_repeats_a_word_has_no_published_counterpart(tmp_path: Path) -> None:
    config, results = masks(tmp_path)
    produce_tables(config, results, tmp_path / "out")
    found = table(tmp_path / "out", "text_published")
    assert set(found["paper"]) == {f"arXiv:{IMDM}"}
    assert len(found) == len([one for one in PUBLISHED if one.paper == IMDM]) == 12
    assert found["ours no world"].isna().all()


@pytest.mark.parametrize("write", [orders, masks])
def test_tables_figures_page_and_summary_are_those_of_the_study(tmp_path: Path, write: Any) -> None:
    config, results = write(tmp_path)
    out = tmp_path / "out"
    produce_tables(config, results, out)
    assert {path.stem for path in out.glob("*.md")} == {*table_names(config), "claims"}
    assert {path.stem for path in produce_figures(config, results, out)} == set(figure_names(config))
    assert "text_agreement" in table_names(config) or write is orders
    page = produce_report(config, results, out / "report.html").path.read_text()
    assert "This study trains models from nothing" in page
    assert "Problems and answers" not in page
    summary = summarize(config, Layout(results, out))
    assert (summary.headline, summary.next_thing[0]) == ((), "xpflow audit results/small")
    if write is orders:
        assert [one.text for one in summary.verdicts] == ["A learned order lies lower"]
        assert (
            "Of 1 comparisons of models of small languages, registered before the run: 1 confirmed." in page
        )
    else:
        assert "It registers no claim about models of small languages." in page


def test_worlds_without_agreement_have_no_agreement_table(tmp_path: Path) -> None:
    config, _ = orders(tmp_path)
    assert not {"text_agreement", "text_masks"} & {*table_names(config), *figure_names(config)}


def test_a_missing_or_foreign_score_file_is_told(tmp_path: Path) -> None:
    config, results = orders(tmp_path)
    path = Layout.of_results(results).text_scores("orders", "mdm", 1)
    path.write_text("{}")
    with pytest.raises(ArtifactError, match="holds no scores"):
        load_trained(config, results)
    path.unlink()
    with pytest.raises(ArtifactError, match=r"scores\.json"):
        load_trained(config, results)
