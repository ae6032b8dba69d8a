"""The published study: today's code makes its tables from the packed verdicts, byte for byte; it audits."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from xpflow.artifacts.io import sha256_file
from xpflow.artifacts.pack import unpack
from xpflow.auditing.study_audit import audit_study
from xpflow.reporting.produce import produce_tables
from xpflow.study.config import load_study

ROOT = Path(__file__).parents[2]
ARCHIVE = ROOT / "results" / "reference" / "micro-full.tar.xz"
PUBLISHED = ROOT / "paper_figures" / "micro-full"


def test_the_reference_is_small() -> None:
    assert ARCHIVE.stat().st_size < 10_000_000


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reference")
    unpack(ARCHIVE, folder)
    return folder


@pytest.mark.slow
def test_the_reference_gives_the_published_tables(unpacked: Path, tmp_path: Path) -> None:
    results = unpacked / "results" / "micro-full"
    paths = produce_tables(load_study(results / "study.yaml"), results, tmp_path / "out")
    assert len(paths) == 14
    for path in paths:
        assert path.read_bytes() == (PUBLISHED / path.name).read_bytes(), path.name


# What a study draws today and did not when this one was packed.
DRAWN_SINCE = {f"sweep_{axis}_rest.{end}" for axis in ("budget", "nfe") for end in ("pdf", "png")} | {
    "report.html"
}
MADE_AGAIN = {"tables.manifest.json"} | {f"contrasts.{end}" for end in ("md", "tex", "csv")}
MADE_AGAIN |= {f"claims.{end}" for end in ("md", "json")}
MOVED = ["low", "high", "bootstrap_p", "holm_p", "judgement"]


def test_what_is_published_is_what_was_packed_but_for_its_statistics(unpacked: Path) -> None:
    """The verdicts are the same; how claims are judged has changed since (docs/results.md)."""
    packed = unpacked / "paper_figures" / "micro-full"
    assert {path.name for path in packed.iterdir()} == {path.name for path in PUBLISHED.iterdir()}
    differ = {
        path.name for path in packed.iterdir() if path.read_bytes() != (PUBLISHED / path.name).read_bytes()
    }
    assert differ == MADE_AGAIN
    before, now = (pd.read_csv(folder / "contrasts.csv", comment="#") for folder in (packed, PUBLISHED))
    assert before.drop(columns=MOVED).equals(now.drop(columns=MOVED))
    assert (now["low"] <= before["low"]).all()
    assert (now["high"] >= before["high"]).all()
    moved = before["judgement"] != now["judgement"]
    assert (int(moved.sum()), set(now["judgement"][moved])) == (14, {"undecided"})
    assert list(now["holm_p"].notna()) == list(now["registered"])


def test_the_published_tables_are_those_of_their_manifest() -> None:
    manifest = json.loads((PUBLISHED / "tables.manifest.json").read_text())
    assert len(manifest["files"]) == 14
    for file in manifest["files"]:
        assert sha256_file(PUBLISHED / file["path"]) == file["sha256"], file["path"]


@pytest.mark.slow
def test_the_reference_audits_without_its_weights(unpacked: Path) -> None:
    """Code and settings may have gone on since; then it says so, and nothing else."""
    findings = audit_study(unpacked / "results" / "micro-full", unpacked).findings
    odd = [one for one in findings if one.status not in ("good", "left out", "stale")]
    assert {(one.status, Path(one.path).name) for one in odd} == {("missing", name) for name in DRAWN_SINCE}
    assert {
        one.reason.partition(" for ")[0].partition(" `")[0] for one in findings if one.status == "stale"
    } <= {
        "the code behind",
        "the study's settings",
    }
    assert sum(one.status == "left out" for one in findings) > 20
