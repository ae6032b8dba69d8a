"""Studies that are valid, if unusual, have a report: a dash and one sentence where there is no number."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from xpflow.artifacts.io import read_jsonl, write_jsonl
from xpflow.errors import DataError
from xpflow.reporting.from_config import plan_from_config
from xpflow.reporting.produce import produce_figures, produce_tables
from xpflow.study.config import StudyConfig, study_from_mapping
from xpflow.study.layout import Layout
from xpflow.study.rows import expand, trained_runs

QUICK = {"name": "mask-quick", "decoder": "mask_prediction", "budgets": ["1/4"], "seeds": "first"}
WHOLE = {"name": "mask-full", "decoder": "mask_prediction", "budgets": ["1/1"], "seeds": "first"}
FLOW = {"name": "flow", "decoder": "flow", "weights": "paper", "policy": "confidence:8", "budgets": ["1/4"]}
NO_COMMIT = {**FLOW, "name": "no-commit", "settings": {"commit": False}}
CLAIM = {
    "id": "flow-over-mask",
    "text": "Flow wins.",
    "arm_a": "flow",
    "arm_b": "mask-quick",
    "budget": "1/4",
}


@pytest.fixture
def study(synthetic, tmp_path: Path, monkeypatch) -> Callable[..., tuple[StudyConfig, Path]]:
    """Return a function that makes a study of some arms and its folder of results."""

    def make(
        *arms: dict[str, Any], problems: int = 20, seeds: tuple[int, ...] = (0, 1), **blocks: Any
    ) -> tuple[StudyConfig, Path]:
        claims = blocks.pop("claims", [])
        config = study_from_mapping(
            {
                "study": {"name": "odd", "seeds": list(seeds), "preregistration": claims},
                "evaluation": {"arms": list(arms)},
                "reporting": {"bootstrap_samples": 300, "figure_formats": ["pdf"]},
                **blocks,
            }
        )
        for arm in arms:
            rates = {"1/4": (0.9 if "flow" in arm["name"] else 0.2, 8), "1/1": (0.8, 32)}
            monkeypatch.setitem(synthetic.RATES, arm["name"], rates)
        synthetic.write_results(tmp_path / "odd", tuple(expand(config)), problems)
        synthetic.write_alignment(tmp_path / "odd", config)
        return config, tmp_path / "odd"

    return make


def report(config: StudyConfig, results: Path, *, draw: bool = False) -> Path:
    """Make all tables, and the figures if asked; returns their folder."""
    out = results.parent / "out"
    produce_tables(config, results, out)
    if draw:
        produce_figures(config, results, out)
    return out


def logs(config: StudyConfig, results: Path) -> list[Path]:
    return [Layout(results, results).run_log(*run) for run in trained_runs(config)]


def edit(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(change(row)) + "\n" for row in read_jsonl(path)))


@pytest.mark.parametrize("arms", [(QUICK, WHOLE), (WHOLE, QUICK)])
def test_the_full_budget_may_have_an_arm_of_its_own_before_or_after(study, arms) -> None:
    config, results = study(*arms, FLOW, NO_COMMIT)
    plan = plan_from_config(config)
    assert (plan.baseline, plan.flow) == ("mask-quick", "flow")
    assert plan.is_paper_arm("mask-full")
    kinds = {contrast.b: contrast.kind for contrast in plan.contrasts}
    assert kinds == {"mask-quick": "primary", "mask-full": "check", "no-commit": "ablation"}
    out = report(config, results, draw=True)
    assert "80.0 →" in (out / "alignment.md").read_text()
    claims = json.loads((out / "claims.json").read_text())
    assert sum(claim["family"] == "recovery" for claim in claims) == 4
    assert "76/164" in (out / "table1.md").read_text()  # the paper's full budget, beside mask-full


def test_without_a_full_budget_there_is_a_dash_and_a_sentence(study) -> None:
    config, results = study(QUICK, FLOW)
    out = report(config, results, draw=True)
    assert (
        "No share of the full-budget accuracy for llada-micro, micropy-he;" in (out / "claims.md").read_text()
    )
    rows = [line for line in (out / "alignment.md").read_text().splitlines() if line.startswith("| llada")]
    assert rows
    assert all(row.endswith("| – |") for row in rows)


def test_no_aligned_arm(study) -> None:
    config, results = study(QUICK, WHOLE, {**FLOW, "weights": "base"})
    out = report(config, results, draw=True)
    assert not (out / "alignment.md").exists()
    assert "flow" in (out / "contrasts.md").read_text()
    alone, results = study({**QUICK, "name": "mask-only"})
    assert "none of the paper's claims" in (report(alone, results, draw=True) / "claims.md").read_text()


@pytest.mark.parametrize(
    ("change", "dashes", "sentence"),
    [
        (lambda row: {**row, "ce_masked": float("nan")}, 2, "the cross-entropy of own answers"),
        (lambda row: {**row, "mse_unmasked": float("nan")}, 2, "the squared error"),
        (lambda row: {**row, "mse_unmasked": float("inf")}, 2, "the squared error"),
        (lambda row: {**row, "ce_heldout": float("nan")}, 1, "the cross-entropy of held-out answers"),
        (lambda row: {**row, "ce_heldout": None}, 1, "the cross-entropy of held-out answers"),
        (lambda row: {key: row[key] for key in row if key != "acc_unmasked"}, 1, "the accuracy"),
        (
            lambda row: {"update": row["update"], "loss": 1.0},
            6,
            "the squared error, the accuracy, the cross-entropy of own answers, "
            "the cross-entropy of held-out answers",
        ),
    ],
)
def test_what_a_run_did_not_log_is_a_dash_and_a_sentence(study, change, dashes: int, sentence: str) -> None:
    config, results = study(QUICK, WHOLE, FLOW)
    for path in logs(config, results):
        edit(path, change)
    text = (report(config, results, draw=dashes == 6) / "alignment.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| llada")]
    assert [row.count("–") for row in rows] == [dashes + 1] * 2  # and the full budget of aligned weights
    assert text.count(f"first and last update, for {sentence}.") == 2
    assert "nan" not in text
    frame = pd.read_csv(results.parent / "out" / "alignment.csv", comment="#")
    assert len(frame) == 2


def test_one_seed_without_a_number_is_not_averaged_away(study) -> None:
    config, results = study(QUICK, WHOLE, FLOW)
    edit(logs(config, results)[0], lambda row: {**row, "mse_unmasked": float("nan")})
    rows = [
        line
        for line in (report(config, results) / "alignment.md").read_text().splitlines()
        if line.startswith("| llada")
    ]
    assert "-fold" not in rows[0]
    assert "-fold" in rows[1]


def test_an_update_without_its_number_is_named(study) -> None:
    config, results = study(QUICK, WHOLE, FLOW)
    edit(logs(config, results)[0], lambda row: {**row, "update": None})
    with pytest.raises(DataError, match=r"log\.jsonl: an update is no whole number"):
        report(config, results)


@pytest.mark.parametrize("problems", [1, 2, 5])
@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_too_few_problems_decide_nothing(study, monkeypatch, synthetic, problems: int, seeds) -> None:
    config, results = study(QUICK, WHOLE, FLOW, NO_COMMIT, problems=problems, seeds=seeds, claims=[CLAIM])
    for row in expand(config):  # as different as can be
        path = Layout.of_results(results).row(row) / "verdicts.jsonl"
        won = "passed" if row.arm == "mask-full" else "wrong"
        write_jsonl(path, [{**one, "verdict": won} for one in read_jsonl(path)])
        if row.arm == "flow" and row.benchmark == "micropy-he":
            write_jsonl(path, [{**one, "verdict": "passed"} for one in read_jsonl(path)])
    out = report(config, results)
    claims = json.loads((out / "claims.json").read_text())
    assert len(claims) == 16
    assert {claim["judgement"] for claim in claims} == {"undecided: too few"}
    assert "contradicts the paper on" not in (out / "claims.md").read_text()
    assert "Fewer than 6 problems decide nothing." in (out / "claims.md").read_text()
    frame = pd.read_csv(out / "contrasts.csv", comment="#")
    assert (frame["low"] < frame["high"]).all()
    assert (frame["bootstrap_p"] >= 0.06).all()


def test_six_problems_that_all_differ_decide_one_claim(study) -> None:
    config, results = study(QUICK, FLOW, problems=6, seeds=(0,))
    for row in expand(config):
        path = Layout.of_results(results).row(row) / "verdicts.jsonl"
        verdict = "passed" if row.arm == "flow" else "wrong"
        write_jsonl(path, [{**one, "verdict": verdict} for one in read_jsonl(path)])
    frame = pd.read_csv(report(config, results) / "contrasts.csv", comment="#")
    assert list(frame["bootstrap_p"]) == list(frame["mcnemar_p"]) == [0.03125] * 4
    assert list(frame["holm_p"]) == [0.125] * 4  # four claims: none of them survives
    assert set(frame["judgement"]) == {"undecided"}
    alone = config.model_copy(update={"models": config.models[:1]})
    alone = alone.model_copy(
        update={"problems": alone.problems.model_copy(update={"benchmarks": alone.problems.benchmarks[:1]})}
    )
    assert list(pd.read_csv(report(alone, results) / "contrasts.csv", comment="#")["judgement"]) == [
        "confirmed"
    ]


def test_a_row_that_lacks_problems_of_its_benchmark_is_named_and_never_a_full_score(study) -> None:
    config, results = study(QUICK, WHOLE, FLOW, problems=8)
    folder = Layout.of_results(results).row(expand(config)[0])
    for name in ("verdicts.jsonl", "samples.jsonl"):
        write_jsonl(folder / name, read_jsonl(folder / name)[:2])
    with pytest.raises(
        DataError, match=r"6 of the 8 problems of micropy-he are missing \(micropy-he/2, .*\.\.\."
    ):
        produce_tables(config, results, results.parent / "out")


def test_the_denominator_is_the_problem_file_even_where_all_rows_lack_the_same(study) -> None:
    config, results = study(QUICK, FLOW, problems=3)
    tasks = [{"task_id": f"micropy-he/{number}"} for number in range(4)]
    write_jsonl(Layout.of_results(results).problems("micropy-he"), tasks)
    with pytest.raises(DataError, match=r"1 of the 4 problems of micropy-he are missing \(micropy-he/3\)"):
        produce_tables(config, results, results.parent / "out")


def test_the_level_of_the_notes_is_the_study_s(study, monkeypatch) -> None:
    from xpflow.reporting.plots import sweep

    config, results = study(QUICK, WHOLE, FLOW)
    config = config.model_copy(update={"reporting": config.reporting.model_copy(update={"confidence": 0.9})})
    notes: list[str] = []
    monkeypatch.setattr(sweep, "note", lambda drawing, text: notes.append(text))
    out = report(config, results, draw=True)
    texts = [path.read_text() for path in out.iterdir() if path.suffix in (".md", ".csv", ".tex")]
    assert not any("95" in text and ("95 %" in text or r"95 \%" in text) for text in texts)
    assert sum("90 % interval" in text or r"90 \% interval" in text for text in texts) >= 3
    assert all("90 % Wilson" in text for text in notes)
    assert "Fewer than 5 problems" in (out / "claims.md").read_text()


def test_a_title_and_a_claim_with_line_ends_keep_every_table_in_shape(study) -> None:
    text = "Flow, at a quarter:\nmore | fewer\r\n# not a comment"
    config, results = study(QUICK, WHOLE, FLOW, claims=[{**CLAIM, "text": text}])
    config = config.model_copy(update={"study": config.study.model_copy(update={"title": "one\ntwo, three"})})
    out = report(config, results)
    frame = pd.read_csv(out / "contrasts.csv", comment="#")
    assert frame["contrast"][0].replace("\r\n", "\n") == text.replace("\r\n", "\n")
    assert frame["judgement"].isin(["confirmed", "contradicted", "undecided"]).all()
    for name in ("table1", "table2", "contrasts", "alignment"):
        lines = (out / f"{name}.md").read_text().splitlines()
        rows = [line.replace("\\|", "") for line in lines if line.startswith("|")]
        assert len({row.count("|") for row in rows}) == 1
        assert all(line == "" or line.startswith(("|", "- ", "### ")) for line in lines)
        head = (out / f"{name}.csv").read_text().splitlines()[1]
        assert head == r"# Study: odd, one\ntwo, three"
    claims = (out / "claims.md").read_text().splitlines()
    assert sum(line.startswith("- Flow, at a quarter:<br>more | fewer<br># not") for line in claims) == 4
