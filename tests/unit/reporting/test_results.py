import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from xpflow.artifacts.io import read_jsonl, write_jsonl
from xpflow.errors import ArtifactError, DataError, GradingError
from xpflow.reporting.results import COLUMNS, Outcomes, load_results, load_row
from xpflow.study.layout import Layout
from xpflow.study.result_files import COSTS, REVISIONS
from xpflow.study.rows import Row

QUARTER = Fraction(1, 4)
ROW = Row("llada-micro", "micropy-he", "flow-shipped", QUARTER, 0)


@pytest.fixture
def cell_folder(study: tuple, tmp_path: Path) -> Path:
    """A private copy of one run, to be damaged."""
    _, folder = study
    shutil.copytree(Layout.of_results(folder).row(ROW), Layout.of_results(tmp_path).row(ROW))
    return Layout.of_results(tmp_path).row(ROW)


def test_the_table_has_one_row_per_problem_of_every_planned_run(study: tuple) -> None:
    plan, folder = study
    table = load_results(folder, plan.rows)
    assert tuple(table.columns) == (*COLUMNS, *COSTS, *REVISIONS)
    assert len(table) == 60 * len(plan.rows)
    assert set(table["budget"]) == {"1/8", "1/4", "1/2", "1/1"}


def test_cells_lie_where_the_layout_says(tmp_path: Path) -> None:
    where = tmp_path / "llada-micro/eval/micropy-he/flow-shipped/1-4/seed0"
    assert Layout.of_results(tmp_path).row(ROW) == where


@pytest.mark.parametrize("name", ["verdicts.jsonl", "samples.jsonl"])
def test_a_missing_file_is_named(cell_folder: Path, tmp_path: Path, name: str) -> None:
    (cell_folder / name).unlink()
    with pytest.raises(ArtifactError, match=str(cell_folder / name)):
        load_row(tmp_path, ROW)


def test_verdicts_of_another_protocol_are_refused(study: tuple, cell_folder: Path, tmp_path: Path) -> None:
    plan, folder = study
    assert plan.protocols == {"llada-micro": "micropy@1", "llada2-micro": "micropy@1"}
    old = load_row(folder, ROW, "micropy@1")  # rows from before protocols had names
    rows = [{**row, "protocol": "llada-v1@1"} for row in read_jsonl(cell_folder / "verdicts.jsonl")]
    write_jsonl(cell_folder / "verdicts.jsonl", rows)
    with pytest.raises(DataError, match="of protocol llada-v1@1, not of micropy@1"):
        load_row(tmp_path, ROW, "micropy@1")
    assert load_row(tmp_path, ROW, "llada-v1@1") == old


def test_an_infrastructure_verdict_refuses_tabulation(cell_folder: Path, tmp_path: Path) -> None:
    rows = read_jsonl(cell_folder / "verdicts.jsonl")
    rows[3]["verdict"] = "infrastructure"
    write_jsonl(cell_folder / "verdicts.jsonl", rows)
    with pytest.raises(GradingError, match="1 problem"):
        load_row(tmp_path, ROW)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda rows: rows[:-1], "same problems"),
        (lambda rows: [*rows, rows[0]], "twice"),
        (lambda rows: [{**rows[0], "verdict": "ok"}, *rows[1:]], "unknown verdict 'ok'"),
        (lambda rows: [{"verdict": "passed"}, *rows[1:]], "task_id"),
    ],
)
def test_damaged_verdicts_are_refused(cell_folder: Path, tmp_path: Path, damage, message: str) -> None:
    write_jsonl(cell_folder / "verdicts.jsonl", damage(read_jsonl(cell_folder / "verdicts.jsonl")))
    with pytest.raises(DataError, match=message):
        load_row(tmp_path, ROW)


def test_outcomes_are_seeds_by_problems(study: tuple) -> None:
    plan, folder = study
    outcomes = Outcomes(load_results(folder, plan.rows))
    place = ("llada-micro", "micropy-he")
    assert outcomes.passed(*place, "flow-shipped", QUARTER).shape == (3, 60)
    assert outcomes.passed(*place, "mask-base", QUARTER).shape == (1, 60)
    stats = outcomes.stats(*place, "flow-shipped", QUARTER)
    assert (stats.seeds, stats.nfe, stats.rate.answers) == ((0, 1, 2), 8.0, 180)


def test_seeds_on_different_problems_are_refused(study: tuple) -> None:
    plan, folder = study
    table = load_results(folder, plan.rows)
    with pytest.raises(DataError, match="same problems"):
        Outcomes(table.drop(index=table.index[table["seed"] == 2][0])).passed(*_first_three_seeded(table))


def _first_three_seeded(table) -> tuple:
    row = table[table["seed"] == 2].iloc[0]
    numerator, denominator = row["budget"].split("/")
    return row["model"], row["benchmark"], row["arm"], Fraction(int(numerator), int(denominator))


def test_an_unplanned_cell_has_no_numbers(study: tuple) -> None:
    plan, folder = study
    outcomes = Outcomes(load_results(folder, plan.rows[:3]))
    with pytest.raises(DataError, match="no results"):
        outcomes.passed("llada2-micro", "micropy-he", "flow-shipped", QUARTER)
    assert not replace(plan, rows=()).has("llada-micro", "micropy-he", "mask-base", QUARTER)
