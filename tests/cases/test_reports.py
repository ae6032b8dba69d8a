"""Kinds 6, 7 and 9: reports that say no more than they know, of every study that is valid."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

QUICK = {"name": "mask-quick", "decoder": "mask_prediction", "budgets": ["1/4"], "seeds": "first"}
WHOLE = {"name": "mask-full", "decoder": "mask_prediction", "budgets": ["1/1"], "seeds": "first"}
FLOW = {"name": "flow", "decoder": "flow", "weights": "paper", "policy": "confidence:8", "budgets": ["1/4"]}
BOTH = {**QUICK, "name": "mask", "budgets": ["1/4", "1/1"]}
RUN = Path("llada-micro/aligned/paper/seed0/log.jsonl")


@pytest.fixture
def study(place: Any) -> Any:
    """Return a function that makes a study of some arms: `solved` of its problems by flow, `masked` else."""

    def make(
        *arms: dict[str, Any], problems: int = 20, solved: int = 12, masked: int = 6, **blocks: Any
    ) -> Any:
        named = {"name": "odd", "seeds": [0], **blocks.pop("study", {})}
        place.study(
            study=named,
            problems={"benchmarks": [{"name": "micropy-he", "limit": problems}]},
            models=[{"name": "llada-micro", "training": "full"}],
            evaluation={"arms": list(arms)},
            **{"reporting": {"bootstrap_samples": 300}, **blocks},
        )
        tasks = [f"micropy-he/{number}" for number in range(problems)]
        place.rows("results/odd/problems/micropy-he.jsonl", *({"task_id": task} for task in tasks))
        for arm in arms:
            passed = solved if "flow" in arm["name"] else masked
            for budget in arm["budgets"]:
                folder = (
                    f"results/odd/llada-micro/eval/micropy-he/{arm['name']}/{budget.replace('/', '-')}/seed0"
                )
                judged = [(task, "passed" if n < passed else "wrong") for n, task in enumerate(tasks)]
                verdicts = [{"task_id": task, "verdict": verdict, "reason": ""} for task, verdict in judged]
                place.rows(f"{folder}/verdicts.jsonl", *verdicts)
                rows = [{"task_id": task, "completion": "    pass\n", "nfe": 8} for task in tasks]
                place.rows(f"{folder}/samples.jsonl", *rows)
        log(place)
        return place

    return make


def log(place: Any, **last: Any) -> None:
    """Write the log of the study's run; `last` changes its last row."""
    row = {"seed": 0, "variant": "paper", "mse_masked": 12.0, "ce_masked": 0.2, "ce_masked_base": 0.2}
    rows = [
        {**row, "update": n, "mse_unmasked": 30 / (1 + n), "acc_unmasked": 0.9, "ce_heldout": 0.3}
        for n in (0, 5, 10)
    ]
    place.rows(f"results/odd/{RUN}", *rows[:-1], {**rows[-1], **last})


def tables(place: Any) -> Path:
    words = ("--config", "study.yaml", "--results", "results/odd", "--out", "out")
    place.run("tables", *words).passed()
    found: Path = place / "out"
    return found


def contrasts(out: Path) -> list[dict[str, str]]:
    with (out / "contrasts.csv").open(encoding="utf-8", newline="") as file:
        lines = file.readlines()
    while lines[0].startswith("#"):
        del lines[0]
    return list(csv.DictReader(lines))


@pytest.mark.parametrize("problems", [1, 5])
def test_too_few_problems_decide_nothing(study: Any, problems: int) -> None:
    for solved in (0, problems):
        out = tables(study(BOTH, FLOW, problems=problems, solved=solved, masked=problems - solved))
        claims = json.loads((out / "claims.json").read_text(encoding="utf-8"))
        assert {claim["judgement"] for claim in claims} == {"undecided: too few"}
        assert "contradicts the paper on" not in (out / "claims.md").read_text(encoding="utf-8")
        assert all(float(row["low"]) < float(row["high"]) for row in contrasts(out))


def test_holms_correction_is_over_all_claims_not_the_ablations_alone(study: Any) -> None:
    rows = contrasts(
        tables(study(BOTH, FLOW, {**FLOW, "name": "no-commit-flow", "settings": {"commit": False}}))
    )
    assert [bool(row["holm_p"]) for row in rows if row["a"] == "flow"] == [True] * len(rows)


def test_problems_that_were_not_graded_count_and_are_named(study: Any) -> None:
    place = study(BOTH, FLOW, problems=4)
    name = "results/odd/llada-micro/eval/micropy-he/flow/1-4/seed0"
    for kind in ("verdicts", "samples"):
        place.rows(f"{name}/{kind}.jsonl", *place.read(f"{name}/{kind}.jsonl")[:1])
    words = ("tables", "--config", "study.yaml", "--results", "results/odd", "--out", "out")
    place.run(*words).refused("3 of the 4 problems", "micropy-he/1")
    he = {"prompt": "def f():\n", "entry_point": "f", "canonical_solution": "    return 1\n"}
    test = "def check(candidate):\n    assert candidate() == 1\n"
    place.rows("p.jsonl", *({"task_id": f"micropy-he/{n}", **he, "test": test} for n in range(4)))
    place.rows("s.jsonl", {"task_id": "micropy-he/0", "completion": "    return 1\n"})
    grade = ("grade", "--problems", "p.jsonl", "--samples", "s.jsonl", "--out", "v.jsonl", "--workers", "1")
    said = place.run(*grade).passed().out
    assert "passed 1 of 4 (25.0 %)" in said
    assert "micropy-he/3" in said


def test_the_full_budget_may_be_an_arm_of_its_own_that_comes_last(study: Any) -> None:
    assert "mask-full" in (tables(study(QUICK, FLOW, WHOLE)) / "contrasts.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "last", [{"ce_masked": float("nan")}, {"ce_heldout": float("nan")}, {"ce_heldout": None}]
)
def test_what_a_run_did_not_log_is_a_dash(study: Any, last: dict[str, Any]) -> None:
    place = study(BOTH, FLOW)
    log(place, **last)
    text = (tables(place) / "alignment.md").read_text(encoding="utf-8")
    assert "nan" not in text.lower()
    assert "\u2013" in text


def test_a_study_without_an_aligned_arm_has_its_tables(study: Any) -> None:
    out = tables(study(BOTH, {**FLOW, "weights": "base", "seeds": "first"}))
    assert "flow" in (out / "contrasts.md").read_text(encoding="utf-8")


def test_a_title_and_a_claim_with_line_ends_keep_every_table_in_shape(study: Any) -> None:
    text = "Flow:\nmore | fewer\r\n# no comment"
    claim = {"id": "c", "text": text, "arm_a": "flow", "arm_b": "mask", "budget": "1/4"}
    out = tables(study(BOTH, FLOW, study={"title": "one\ntwo, three", "preregistration": [claim]}))
    for name in ("table1", "contrasts", "alignment"):
        lines = (out / f"{name}.md").read_text(encoding="utf-8").splitlines()
        widths = {line.replace("\\|", "").count("|") for line in lines if line.startswith("|")}
        assert len(widths) == 1, name
    assert {row["judgement"] for row in contrasts(out)} <= {"confirmed", "contradicted", "undecided"}
