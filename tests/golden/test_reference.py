"""The published studies: today's code makes its tables from the packed verdicts, byte for byte; it audits."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from xpflow.artifacts.io import sha256_file
from xpflow.artifacts.pack import unpack
from xpflow.auditing.study_audit import audit_study
from xpflow.reporting.produce import produce_tables
from xpflow.study.config import load_study

ROOT = Path(__file__).parents[2]
REFERENCE, FIGURES = ROOT / "results" / "reference", ROOT / "paper_figures"
# study -> files of its tables
TABLES = {
    "micro-full": 14,
    "frontier": 20,
    "factorial": 26,
    "multiverse": 23,
    "probes": 23,
    "lomdm": 17,
    "lomdm-full": 17,
    "imdm": 17,
    "soft": 23,
    "dsl": 32,
    "few-step": 26,
}
# study -> weights, policies and data that an archive goes without, at least
LEFT_OUT = {
    "micro-full": 20,
    "factorial": 3,
    "multiverse": 1,
    "probes": 1,
    "soft": 1,
    "dsl": 1,
    "few-step": 12,
}
LONG = {"factorial", "multiverse", "probes", "soft", "dsl", "few-step", "lomdm"}
STUDIES = [pytest.param(one, marks=pytest.mark.long) if one in LONG else one for one in TABLES]


def test_the_references_are_small_and_each_has_its_tables() -> None:
    archives = {path.name.removesuffix(".tar.xz"): path for path in REFERENCE.iterdir()}
    assert set(archives) == set(TABLES)
    assert all(path.stat().st_size < 10_000_000 for path in archives.values())


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return what unpacks a study, once, and says where."""
    folder = tmp_path_factory.mktemp("reference")

    @cache
    def place_of(study: str) -> Path:
        unpack(REFERENCE / f"{study}.tar.xz", folder)
        return folder

    return place_of


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES)
def test_a_reference_gives_the_published_tables(
    unpacked: Callable[[str], Path], tmp_path: Path, study: str
) -> None:
    results = unpacked(study) / "results" / study
    paths = produce_tables(load_study(results / "study.yaml"), results, tmp_path / "out")
    assert len(paths) == TABLES[study]
    for path in paths:
        assert path.read_bytes() == (FIGURES / study / path.name).read_bytes(), path.name


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES)
def test_what_is_published_is_what_was_packed_but_for_the_report(
    unpacked: Callable[[str], Path], study: str
) -> None:
    """The page of a study is large, and made from the rest."""
    packed, published = unpacked(study) / "paper_figures" / study, FIGURES / study
    names = {path.name for path in packed.iterdir() if not path.name.startswith("report.html")}
    assert {path.name for path in published.iterdir() if not path.name.startswith("report.html")} == names
    for name in names:
        assert (packed / name).read_bytes() == (published / name).read_bytes(), name


@pytest.mark.parametrize("study", TABLES)
def test_the_published_tables_are_those_of_their_manifest(study: str) -> None:
    folder = FIGURES / study
    manifest = json.loads((folder / "tables.manifest.json").read_text())
    assert len(manifest["files"]) == TABLES[study]
    for file in manifest["files"]:
        assert sha256_file(folder / file["path"]) == file["sha256"], file["path"]


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES)
def test_a_reference_audits_without_its_weights(unpacked: Callable[[str], Path], study: str) -> None:
    """Code and settings may have gone on since; then it says so, and nothing else."""
    findings = audit_study(unpacked(study) / "results" / study, unpacked(study)).findings
    assert [one for one in findings if one.status not in ("good", "left out", "stale")] == []
    assert {
        one.reason.partition(" for ")[0].partition(" `")[0] for one in findings if one.status == "stale"
    } <= {
        "the code behind",
        "the study's settings",
    }
    assert sum(one.status == "left out" for one in findings) >= LEFT_OUT.get(study, 0)
