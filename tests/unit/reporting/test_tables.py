import io
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from xpflow.reporting.contrasts import contrasts_table, evaluate_contrasts
from xpflow.reporting.markup import Column, Table, number, to_csv, to_html, to_latex, to_markdown
from xpflow.reporting.paper import DISCLAIMER, table1_count
from xpflow.reporting.results import Outcomes, load_results
from xpflow.reporting.tables import facts, table1, table2, write_table


@pytest.fixture(scope="module")
def tables(study: tuple) -> dict[str, Table]:
    plan, folder = study
    outcomes = Outcomes(load_results(folder, plan.rows))
    contrasts = contrasts_table(plan, evaluate_contrasts(plan, outcomes))
    return {"table1": table1(plan, outcomes), "table2": table2(plan, outcomes), "contrasts": contrasts}


@pytest.mark.parametrize("name", ["table1", "table2", "contrasts"])
def test_every_spelling_says_study_seeds_models_and_what_cannot_be_compared(tables, name) -> None:
    for text in (to_markdown(tables[name]), to_csv(tables[name]), to_latex(tables[name])):
        for fact in ("synthetic", "0, 1, 2", "llada2-micro", "N = 32 tokens", DISCLAIMER):
            assert fact in text


def test_the_header_names_protocols_unless_all_are_the_micro_models(study: tuple) -> None:
    plan, _ = study
    assert "Protocols" not in dict(facts(plan))
    models = (plan.models[0], replace(plan.models[1], protocol="llada2-chat@1"))
    shown = dict(facts(replace(plan, models=models)))["Protocols"]
    assert shown == "llada-micro: micropy@1, llada2-micro: llada2-chat@1"
    assert "Protocols" in dict(facts(replace(plan, benchmarks=("humaneval",))))


def test_the_sanitized_mbpp_has_no_number_of_the_papers() -> None:
    quarter = Fraction(1, 4)
    assert table1_count("llada", "mbpp", "flow", quarter) is not None
    assert table1_count("llada", "mbpp-sanitized", "flow", quarter) is None


def test_table_1_has_the_papers_numbers_in_columns_of_their_own(tables) -> None:
    text = to_markdown(tables["table1"])
    assert text.count(": paper") == 4
    flow = next(row for row in text.splitlines() if row.startswith("| 1/4 | flow, shipped policy"))
    assert "45.1<br>74/164" in flow
    assert "33.0<br>165/500" in flow
    other = next(row for row in text.splitlines() if row.startswith("| 1/4 | mask prediction | aligned"))
    assert "74/164" not in other  # the paper has no such arm


def test_a_cell_shows_counts_percent_interval_and_nfe(tables) -> None:
    frame = pd.read_csv(io.StringIO(to_csv(tables["table1"])), comment="#")
    row = frame[(frame["arm"] == "mask-base") & (frame["budget"] == "1/4")].iloc[0]
    cell = (
        f"{row['percent']:.1f} [{row['wilson_low']:.1f}, {row['wilson_high']:.1f}]"
        f"<br>{row['passes']}/60, NFE 8.0"
    )
    assert cell in to_markdown(tables["table1"])


def test_table_1_keeps_the_ablations_for_table_2(tables) -> None:
    arms_1 = {record["arm"] for record in tables["table1"].records}
    arms_2 = {record["arm"] for record in tables["table2"].records}
    assert not any(arm.startswith("flow-no-") for arm in arms_1)
    assert {"flow-no-commit", "flow-no-reedit", "flow-no-alignment", "flow-shipped", "mask-base"} == arms_2


def test_threshold_budgets_are_printed_as_caps(tables) -> None:
    text = to_markdown(tables["table1"])
    row = next(row for row in text.splitlines() if "| threshold " in row)
    assert row.startswith("| ≤ 1/1 | threshold 0.")
    assert " or 0." in row  # one threshold for each model


def test_latex_rows_have_as_many_cells_as_columns(tables) -> None:
    for table in tables.values():
        body = to_latex(table).split(r"\midrule", 1)[1].split(r"\bottomrule")[0]
        rows = [line for line in body.splitlines() if line.rstrip("]-2pt[").rstrip().endswith("\\\\")]
        assert rows
        assert {line.count(" & ") + line.startswith(" &") * 0 + 1 for line in rows} == {len(table.columns)}


def test_latex_and_markdown_escape_what_they_must() -> None:
    table = Table(
        "t", "a_b", (("f", "50 %"),), (Column("x|y"),), (((("c^8 & d",),),),), records=({"v": 1.5},)
    )
    assert r"c\textasciicircum{}8 \& d" in to_latex(table)
    assert r"a\_b" in to_latex(table)
    assert r"x\|y" in to_markdown(table)
    assert to_csv(table).endswith("v\n1.5\n")


def test_numbers_have_a_true_minus_and_no_negative_zero() -> None:
    assert [number(value) for value in (-1.25, -0.01, 2.0)] == ["−1.2", "+0.0", "+2.0"]
    assert number(97.4, "") == "97.4"


def test_problems_graded_in_the_shared_mode_are_counted_and_none_goes_without_saying(
    study: tuple, tables: dict[str, Table]
) -> None:
    plan, folder = study
    assert not any("shared mode" in to_markdown(table) for table in tables.values())
    results = load_results(folder, plan.rows)
    assert set(results["mode"]) == {"strict"}  # what a row without a mode was
    results.loc[results["task_id"].isin(["micropy-mbpp/7", "micropy-mbpp/12"]), "mode"] = "shared"
    line = "micropy-mbpp: 2 of 60 problems graded in the weaker shared mode"
    for make in (table1, table2):
        for text in map(
            str, (to_markdown(make(plan, Outcomes(results))), to_csv(make(plan, Outcomes(results))))
        ):
            assert text.count("shared mode") == text.count(line) == 1
            assert "(micropy-mbpp/12, micropy-mbpp/7)." in text


def test_the_same_results_give_the_same_bytes(study: tuple, tables, tmp_path: Path) -> None:
    plan, folder = study
    shuffled = load_results(folder, plan.rows).sample(frac=1, random_state=1)
    again = table1(plan, Outcomes(shuffled))
    first = [path.read_bytes() for path in write_table(tables["table1"], tmp_path / "a")]
    assert first == [path.read_bytes() for path in write_table(again, tmp_path / "b")]


def test_html_has_every_cell_and_nothing_that_a_name_could_smuggle_in(tables) -> None:
    for table in tables.values():
        text = to_html(table)
        tree = ElementTree.fromstring(text.replace("<br>", "<br/>"))
        assert len(tree.findall(".//tbody/tr")) == sum(map(len, table.sections))
        assert {len(row) for row in tree.findall(".//tbody/tr")} == {len(table.columns)}
    bad = '<script>alert("&")</script>'
    text = to_html(Table(bad, bad, ((bad, bad),), (Column(bad, bad),), ((((bad,),),),), (bad,)))
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 8
