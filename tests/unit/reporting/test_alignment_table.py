import pandas as pd
import pytest

from xpflow.reporting.alignment_table import alignment_table, full_budget_rows, read_alignment
from xpflow.reporting.markup import to_markdown
from xpflow.reporting.results import Outcomes, load_results


@pytest.fixture(scope="module")
def log(synthetic, study, tmp_path_factory) -> pd.DataFrame:
    plan, results = study
    folder = tmp_path_factory.mktemp("aligned")
    config = synthetic.config()
    synthetic.write_alignment(folder, config)
    table = read_alignment(config, folder)
    rows = full_budget_rows(plan, Outcomes(load_results(results, plan.rows)), table)
    return table.merge(rows, how="left", on=["model", "variant", "seed", "update"])


def test_the_two_criteria_are_judged_on_the_worst_seed(study, log) -> None:
    plan, _ = study
    record = alignment_table(plan, log).records[0]
    assert (record["variant"], record["seeds"]) == ("paper", 3)
    assert record["fall"] == pytest.approx(21)
    assert record["fall_met"]
    assert record["ce_change"] == pytest.approx(-0.05)
    assert not record["ce_change_met"]
    assert "not met" in to_markdown(alignment_table(plan, log))


def test_the_full_budget_pass_rate_comes_from_the_evaluation(study, log) -> None:
    plan, results = study
    outcomes = Outcomes(load_results(results, plan.rows))
    chosen = (log["model"] == "llada-micro") & (log["seed"] == 1) & (log["variant"] == "paper")
    seen = log[chosen].set_index("update")["pass_full"].dropna()
    rates = {
        arm: sum(outcomes.stats("llada-micro", benchmark, arm, 1).rate.mean for benchmark in plan.benchmarks)
        for arm in ("mask-base",)
    }
    assert seen[0] == pytest.approx(rates["mask-base"] / 2)
    assert seen[20] < seen[0]
    assert set(seen.index) == {0, 20}
