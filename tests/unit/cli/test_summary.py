"""`xpflow summary`: the published study in a terminal's columns, from its tables and claims alone."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from xpflow.cli import main
from xpflow.display.ending import PIPED, show_summary
from xpflow.reporting.summary import summarize
from xpflow.study.config import load_study
from xpflow.study.layout import Layout

ROOT = Path(__file__).parents[3]
CONFIG, FIGURES = ROOT / "config" / "micro-full.yaml", ROOT / "paper_figures" / "micro-full"


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the command's arguments for a copy of the published tables; results took 100 s."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    shutil.copytree(FIGURES, tmp_path / "figures")
    times = tmp_path / "results" / "benchmarks"
    times.mkdir(parents=True)
    (times / "tables.tsv").write_text("s\th:m:s\n100.0\t0:01:40\n")
    places = ["--config", str(CONFIG), "--results", "results", "--figures", "figures"]
    return ["summary", *places]


def test_it_shows_table_claims_report_and_what_is_next(
    study: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*study, "--took", "712"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert max(len(line) for line in out.splitlines() if "xpflow decode" not in line) <= PIPED
    claims = json.loads((FIGURES / "claims.json").read_text())
    counted = [one for one in claims if one["direction"] != "different"]
    confirmed = sum(one["judgement"] == "confirmed" for one in counted)
    names = ("claims ", "time ", "report ", "next ")
    facts = dict(line.split(maxsplit=1) for line in out.splitlines() if line.startswith(names))
    assert facts["claims"].startswith(f"{confirmed} confirmed, ")
    assert facts["time"] == "this run took 11 min 52 s; all jobs of the study together 1 min 40 s"
    assert facts["report"] == "figures/"
    assert facts["next"].startswith("xpflow decode --model llada-micro-aligned --compare ")
    [row] = [line for line in out.splitlines() if line.strip().startswith("mask prediction [base]  ")]
    rows = (line.split(",") for line in (FIGURES / "table1.csv").read_text().splitlines())
    cells = [row for row in rows if row[2:4] == ["mask-base", "1/4"]]
    assert all(f"{float(cell[8]):.1f} ({float(cell[12]):.1f})" in row for cell in cells)
    assert len(cells) == 4


def test_a_difference_of_numbers_that_was_claimed_either_way_has_its_verdict() -> None:
    figures = ROOT / "paper_figures" / "lomdm-full"
    judged = Counter(one["judgement"] for one in json.loads((figures / "claims.json").read_text()))
    layout = Layout(Path("results"), figures)
    told = summarize(load_study(ROOT / "config" / "lomdm-full.yaml"), layout).verdicts
    assert sum((one.counts for one in told), Counter()) == judged == Counter(confirmed=4, undecided=6)


def test_in_short_it_has_neither_table_nor_single_claims(
    study: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (Path("figures") / "report.html").write_text("<!doctype html>")
    assert main([*study, "--short"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["claims", "time", "report", "next"]
    assert lines[2].split() == ["report", "figures/report.html"]


def test_a_study_without_tables_says_how_to_make_them(
    tmp_path: Path, study: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "figures" / "claims.json").unlink()
    assert main(study) == 2
    assert "make reproduce" in capsys.readouterr().err


@pytest.mark.parametrize("columns", [40, 72, 80, 120])
def test_it_fits_a_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    class Tty(io.StringIO):
        encoding = "utf-8"  # type: ignore[assignment]

        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Tty()
    show_summary(summarize(load_study(CONFIG), Layout(Path("results"), FIGURES)), stream)
    lines = re.sub(r"\x1b\[\d+m", "", stream.getvalue()).splitlines()
    table = [line for line in lines if not line.startswith(("next", "report", "claims", "time", "        ("))]
    assert max(map(len, table)) <= columns
    assert any("91.0" in line for line in table)  # mask prediction at the full budget


def test_every_claim_of_one_text_is_one_line() -> None:
    found = summarize(load_study(CONFIG), Layout(Path("results"), FIGURES), headline=False)
    texts = [verdict.text for verdict in found.verdicts]
    assert len(texts) == len(set(texts))
    assert not any("not at equal NFE" in text for text in texts)
    assert sum(sum(verdict.counts.values()) for verdict in found.verdicts) == 44


def test_claims_of_one_text_are_told_apart_by_id(study: list[str]) -> None:
    file = Path("figures") / "claims.json"
    one = next(row for row in json.loads(file.read_text()) if row["family"] == "primary")
    rows = [{**one, "id": "a"}, {**one, "id": "b", "judgement": "undecided"}, {**one, "family": "check"}]
    file.write_text(json.dumps([*rows, rows[0]]))  # the last comes a second time at one place
    found = summarize(load_study(CONFIG), Layout(Path("results"), Path("figures")), headline=False)
    assert [dict(verdict.counts) for verdict in found.verdicts] == [
        {one["judgement"]: 1},
        {"undecided": 1},
        {one["judgement"]: 1},
        {one["judgement"]: 1},
    ]


def test_a_claim_that_leans_on_another_says_what_it_compares() -> None:
    layout = Layout(Path("results"), ROOT / "paper_figures" / "lomdm")
    found = summarize(load_study(ROOT / "config" / "lomdm.yaml"), layout)
    [wider] = [one for one in found.verdicts if one.text == "So does the wider schedule"]
    assert wider.compared == "learned order, wide; orders"
    assert wider.family.startswith("Registered of models of small languages")
