"""A study with several samples of each problem: pass@1 in the tables, pass@k beside them, no McNemar."""

from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xpflow.artifacts.io import read_jsonl, write_jsonl
from xpflow.errors import DataError
from xpflow.reporting.from_config import plan_from_config
from xpflow.reporting.produce import produce_tables
from xpflow.reporting.results import Outcomes, load_results, read_answers
from xpflow.stats.bootstrap import paired_difference
from xpflow.stats.rates import pass_at_k
from xpflow.study.config import StudyConfig, study_from_mapping
from xpflow.study.layout import SAMPLES, VERDICTS, Layout
from xpflow.study.stages import table_files, table_names

# of eight problems, how many of two samples pass; with the flow arm the first sample of each alone
CORRECT = {"mask": [0, 0, 0, 1, 1, 0, 0, 2], "flow": [1, 1, 2, 2, 2, 1, 2, 2]}


def study(flow: int | None = None) -> StudyConfig:
    common = {"decoder": "mask_prediction", "settings": {"temperature": 0.8}}
    arms = [{"name": "mask", **common}, {"name": "flow", **common, "samples_per_task": flow}]
    return study_from_mapping(
        {
            "study": {"name": "several", "seeds": [0]},
            "problems": {"benchmarks": [{"name": "micropy-he", "limit": 8, "gen_length": 32}]},
            "models": [{"name": "llada-micro", "training": "full"}],
            "evaluation": {"budgets": ["1/4"], "samples_per_task": 2, "arms": arms},
            "reporting": {"bootstrap_samples": 300, "baseline_arm": "mask", "flow_arm": "flow"},
        }
    )


def write(results: Path, config: StudyConfig) -> None:
    """Write fake samples and verdicts of every row."""
    for row in plan_from_config(config).rows:
        answers = [
            {"task_id": f"t/{place}", **({"sample": n} if row.samples > 1 else {}), "passed": n < count}
            for place, count in enumerate(CORRECT[row.arm])
            for n in range(row.samples)
        ]
        names = [{key: one[key] for key in one if key != "passed"} for one in answers]
        verdicts = [
            {**name, "verdict": "passed" if one["passed"] else "wrong", "reason": ""}
            for name, one in zip(names, answers, strict=True)
        ]
        folder = Layout.of_results(results).row(row)
        write_jsonl(folder / VERDICTS, verdicts)
        write_jsonl(folder / SAMPLES, [{**name, "completion": "", "nfe": 8, "tokens": []} for name in names])


def records(file: Path) -> list[dict[str, Any]]:
    return list(csv.DictReader(line for line in file.read_text().split("\n") if not line.startswith("# ")))


def test_a_study_of_two_samples_is_tabulated(tmp_path: Path) -> None:
    config, results = study(), tmp_path / "results/several"
    write(results, config)
    out = tmp_path / "paper_figures/several"
    written = produce_tables(config, results, out)
    assert set(written) == set(table_files(config, Layout(results, out)))
    [mask, flow] = records(out / "table1.csv")
    assert [(row["passes"], row["answers"], row["problems"]) for row in (mask, flow)] == [
        ("4", "16", "8"),
        ("13", "16", "8"),
    ]
    assert float(flow["percent"]) == pytest.approx(100 * 13 / 16)
    text = (out / "table1.md").read_text()
    assert "2 samples of each problem" in text
    assert "pass@1" in text
    found = {(row["arm"], row["k"]): float(row["percent"]) for row in records(out / "pass_at_k.csv")}
    assert found == pytest.approx(
        {("mask", "1"): 25.0, ("mask", "2"): 37.5, ("flow", "1"): 81.25, ("flow", "2"): 100.0}
    )
    assert "pass@2" in (out / "pass_at_k.md").read_text()
    contrasts = (out / "contrasts.md").read_text()
    assert "a dash where an arm has several" in contrasts
    [pair] = records(out / "contrasts.csv")
    assert (pair["mcnemar_p"], pair["only_a"]) == ("", "")
    assert float(pair["difference_points"]) == pytest.approx(100 * 9 / 16)
    assert float(pair["low"]) < 100 * 9 / 16 < float(pair["high"])


def test_every_table_has_a_caption_in_the_report() -> None:
    captions = Path(__file__).parents[3] / "workflow/report"
    assert "pass_at_k" in table_names(study())
    for name in {*table_names(study()), *table_names(StudyConfig())}:
        assert (captions / f"{name}.rst").is_file(), name


def test_an_arm_of_one_sample_beside_one_of_two(tmp_path: Path) -> None:
    config, results = study(flow=1), tmp_path / "results/several"
    write(results, config)
    outcomes = Outcomes(load_results(results, plan_from_config(config).rows))
    place = ("llada-micro", "micropy-he")
    assert outcomes.passed(*place, "flow", Fraction(1, 4)).tolist() == [[True] * 8]
    shares = outcomes.passed(*place, "mask", Fraction(1, 4))
    assert shares.tolist() == [[count / 2 for count in CORRECT["mask"]]]
    produce_tables(config, results, tmp_path / "out")
    assert {row["arm"] for row in records(tmp_path / "out/pass_at_k.csv")} == {"mask"}
    [pair] = records(tmp_path / "out/contrasts.csv")
    assert pair["mcnemar_p"] == ""


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda rows: rows[:-1], "t/7 has 1 of 2 samples"),
        (lambda rows: [*rows, rows[0]], "t/0 comes twice"),
        (lambda rows: [*rows, {**rows[0], "sample": 2}], "the study has 2 of each problem"),
        (lambda rows: [{**rows[0], "sample": "0"}, *rows[1:]], "is no number"),
    ],
)
def test_a_sample_that_is_missing_or_too_many_is_an_error(tmp_path: Path, harm: Any, said: str) -> None:
    config, results = study(), tmp_path / "results/several"
    write(results, config)
    rows = plan_from_config(config).rows
    file = Layout.of_results(results).row(rows[0]) / VERDICTS
    write_jsonl(file, harm(read_jsonl(file)))
    with pytest.raises(DataError, match=said):
        load_results(results, rows)


def test_pass_at_k_of_several_seeds_is_their_mean() -> None:
    correct_SP, samples_SP = np.array([[0, 1, 3], [1, 1, 3]]), np.full((2, 3), 3)
    found = pass_at_k(correct_SP, samples_SP, 2, resamples=200)
    one = 1 - 1 / 3  # 1 - C(2, 2) / C(3, 2)
    assert found.mean == pytest.approx((one / 2 + one + 1) / 3)
    assert found.n_problems == 3


def test_shares_of_samples_have_an_interval_without_mcnemars_test() -> None:
    a_SP, b_SP = np.full((1, 40), 0.75), np.full((1, 40), 0.25)
    found = paired_difference(a_SP, b_SP, resamples=300)
    assert found.value == pytest.approx(0.5)
    assert 0.3 < found.interval.low < 0.5 < found.interval.high < 0.7


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([{}, {"sample": 0}], "some rows of t have a field 'sample' and others none"),
        ([{"sample": 1}, {}], "some rows of t have a field 'sample' and others none"),
        ([{"sample": 1}, {"sample": "1"}], "t comes twice"),
    ],
)
def test_answers_that_may_be_one_and_the_same_are_not_counted_twice(
    tmp_path: Path, names: list[dict[str, Any]], said: str
) -> None:
    rows = [{"task_id": "t", **name, "verdict": "passed"} for name in names]
    write_jsonl(tmp_path / VERDICTS, rows)
    with pytest.raises(DataError, match=said):
        read_answers(tmp_path / VERDICTS)
