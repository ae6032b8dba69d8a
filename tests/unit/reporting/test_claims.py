from dataclasses import replace
from fractions import Fraction

import pandas as pd
import pytest

from xpflow.errors import DataError
from xpflow.reporting.claims import judge_claims
from xpflow.reporting.claims_told import claims_markdown
from xpflow.reporting.contrasts import evaluate_contrasts, judge, recovery_ratio
from xpflow.reporting.paper import DISCLAIMER, TABLE_1, TABLE_2, table1_count, table2_count
from xpflow.reporting.results import COLUMNS, Outcomes, load_results
from xpflow.stats.bootstrap import Estimate
from xpflow.stats.intervals import Interval
from xpflow.stats.paired import holm


def _estimate(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, Interval(low, high), 0.5, 3, 100)


@pytest.mark.parametrize(
    ("low", "high", "direction", "judgement"),
    [
        (0.01, 0.2, "greater", "confirmed"),
        (-0.1, 0.2, "greater", "undecided"),
        (-0.2, -0.01, "greater", "contradicted"),
        (-0.2, -0.01, "less", "confirmed"),
        (0.01, 0.2, "less", "contradicted"),
        (0.01, 0.2, "different", "confirmed"),
        (-0.2, -0.01, "different", "confirmed"),
        (-0.1, 0.1, "different", "undecided"),
        (0.0, 0.2, "greater", "undecided"),
    ],
)
def test_a_claim_is_judged_by_its_interval_only(low, high, direction, judgement) -> None:
    assert judge(_estimate(low, high), 0.0, direction) == judgement


def test_the_papers_percentages_follow_from_its_counts() -> None:
    printed = {
        ("llada", "humaneval"): (33.54, 45.12, 46.34),
        ("llada", "mbpp"): (21.2, 33.0, 39.6),
        ("llada2", "humaneval"): (32.32, 59.76, 79.88),
        ("llada2", "mbpp"): (31.4, 43.8, 63.2),
    }
    for (model, benchmark), percents in printed.items():
        cells = [
            ("mask_prediction", Fraction(1, 4)),
            ("flow", Fraction(1, 4)),
            ("mask_prediction", Fraction(1)),
        ]
        ours = [table1_count(model, benchmark, *cell) for cell in cells]
        assert [round(count.percent, 2) for count in ours if count] == list(percents)
    assert len(TABLE_1) == 12
    assert [round(100 * n / 164, 2) for n in TABLE_2.values()] == [45.12, 41.46, 26.83, 17.07]
    assert table2_count("llada2-micro", "micropy-he", "alignment") is None


@pytest.fixture(scope="module")
def evaluated(study: tuple) -> tuple:
    plan, folder = study
    outcomes = Outcomes(load_results(folder, plan.rows))
    return plan, outcomes, evaluate_contrasts(plan, outcomes)


def test_roles_are_read_from_what_the_arms_do(study: tuple) -> None:
    plan, _ = study
    assert (plan.baseline, plan.flow) == ("mask-base", "flow-shipped")
    assert plan.ablation_arms == {
        "hard_commitment": "flow-no-commit",
        "re_editing": "flow-no-reedit",
        "alignment": "flow-no-alignment",
    }
    kinds = {contrast.b: contrast.kind for contrast in plan.contrasts}
    assert (kinds["mask-base"], kinds["mask-paper"]) == ("primary", "check")


def test_every_contrast_is_evaluated_on_every_model_and_benchmark(evaluated: tuple) -> None:
    plan, _, contrasts = evaluated
    assert len(contrasts) == 4 * len(plan.contrasts)
    assert all(result.difference.n_seeds == 3 for result in contrasts)


def test_holm_corrects_all_claims_as_one_family(evaluated: tuple) -> None:
    plan, _, contrasts = evaluated
    plain = {result.contrast.kind for result in contrasts}
    registered = [replace(one, registered=one.b == "mask-paper") for one in plan.contrasts]
    outcomes = evaluated[1]
    results = evaluate_contrasts(replace(plan, contrasts=tuple(registered)), outcomes)
    family = [result for result in results if result.holm_p is not None]
    assert {(result.contrast.kind, result.contrast.registered) for result in family} == {
        ("primary", False),
        ("ablation", False),
        ("check", True),
    }
    assert plain == {"primary", "ablation", "check"}
    assert [result.holm_p for result in family] == holm([result.difference.p_value for result in family])


def test_a_claim_that_does_not_survive_holm_is_undecided_whatever_its_interval(evaluated: tuple) -> None:
    result = next(one for one in evaluated[2] if one.holm_p is not None)
    decided = replace(result, difference=_estimate(0.01, 0.2), holm_p=0.05)
    assert decided.judgement == "confirmed"
    assert replace(decided, holm_p=0.051).judgement == "undecided"
    assert replace(decided, holm_p=None).judgement == "confirmed"  # asked, not claimed
    assert replace(decided, holm_p=0.04, confidence=0.99).judgement == "undecided"


@pytest.mark.parametrize(("confidence", "fewest"), [(0.95, 6), (0.99, 8), (0.9, 5)])
def test_too_few_problems_are_no_judgement(confidence: float, fewest: int) -> None:
    for n_problems in (1, fewest - 1, fewest):
        estimate = replace(_estimate(0.5, 1.0), n_problems=n_problems)
        expected = "confirmed" if n_problems == fewest else "undecided: too few"
        assert judge(estimate, 0.0, "greater", confidence) == expected
        assert judge(estimate, 0.0, "different", confidence) == expected


def test_threshold_at_another_nfe_is_said_not_to_be_equal(evaluated: tuple) -> None:
    plan, outcomes, contrasts = evaluated
    threshold = next(result for result in contrasts if result.contrast.equal_nfe)
    assert threshold.equal_nfe  # 8.0 against 8.1
    dearer = replace(threshold, b=replace(threshold.b, nfe=9.0))
    assert not dearer.equal_nfe
    assert "not at equal NFE" in claims_markdown(plan, judge_claims(plan, outcomes, [dearer]))


def test_the_section_names_every_claim_and_says_what_a_micro_model_cannot(evaluated: tuple) -> None:
    plan, outcomes, contrasts = evaluated
    claims = judge_claims(plan, outcomes, contrasts)
    text = claims_markdown(plan, claims)
    assert DISCLAIMER in text
    assert text.count("\n- ") == len(claims) == len(contrasts) + 4
    words = {claim.judgement for claim in claims}
    assert words <= {"confirmed", "contradicted", "undecided"}


def test_a_claims_own_full_stop_is_none_within_a_sentence(evaluated: tuple) -> None:
    plan, outcomes, contrasts = evaluated
    [claim, *_] = judge_claims(plan, outcomes, contrasts)
    claim = replace(claim, text="Flow solves more (Table 1). ", judgement="contradicted")
    text = claims_markdown(plan, [claim])
    assert f"- Flow solves more (Table 1), {claim.model}, {claim.benchmark}: **" in text
    assert f"on: Flow solves more (Table 1) ({claim.model}, " in text
    assert replace(claim, text="Flow wins ...").name == "Flow wins ..."


def test_a_study_against_the_paper_is_reported_as_a_contradiction(synthetic, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(
        synthetic.RATES, "flow-shipped", dict.fromkeys(("1/8", "1/4", "1/2", "1/1"), (0.05, 8))
    )
    plan = synthetic.plan(seeds=(0,))
    synthetic.write_results(tmp_path, plan.rows)
    outcomes = Outcomes(load_results(tmp_path, plan.rows))
    claims = judge_claims(plan, outcomes, evaluate_contrasts(plan, outcomes))
    primary = [claim for claim in claims if claim.family == "primary"]
    assert {claim.judgement for claim in primary} == {"contradicted"}
    assert "The study contradicts the paper on" in claims_markdown(plan, claims)


def test_recovery_is_undefined_where_the_full_budget_solves_nothing(study: tuple) -> None:
    plan, folder = study
    table = load_results(folder, plan.rows)
    table.loc[table["arm"] == "mask-base", "verdict"] = "wrong"
    assert recovery_ratio(plan, Outcomes(table), "llada-micro", "micropy-he") is None


def test_arms_on_different_problems_are_never_paired(study: tuple) -> None:
    plan, folder = study
    table = load_results(folder, plan.rows)
    other = table.assign(task_id=table["task_id"].where(table["arm"] != "mask-base", "x" + table["task_id"]))
    with pytest.raises(DataError, match="same problems"):
        evaluate_contrasts(plan, Outcomes(pd.DataFrame(other, columns=list(COLUMNS))))


def test_a_study_of_any_decoders_has_a_report_and_none_of_the_papers_numbers(study: tuple) -> None:
    plan, folder = study
    arms = tuple(replace(arm, decoder="another") for arm in plan.arms)
    plan = replace(plan, arms=arms)
    outcomes = Outcomes(load_results(folder, plan.rows))
    claims = judge_claims(plan, outcomes, evaluate_contrasts(plan, outcomes))
    assert claims
    assert all(claim.paper is None for claim in claims)
