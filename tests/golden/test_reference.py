"""The published study: its tables come out of its verdicts again, byte for byte, and it can be audited."""

from __future__ import annotations

from pathlib import Path

import pytest

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


def test_what_is_published_is_what_was_packed(unpacked: Path) -> None:
    packed = unpacked / "paper_figures" / "micro-full"
    assert {path.name for path in packed.iterdir()} == {path.name for path in PUBLISHED.iterdir()}
    for path in packed.iterdir():
        assert path.read_bytes() == (PUBLISHED / path.name).read_bytes(), path.name


@pytest.mark.slow
def test_the_reference_audits_without_its_weights(unpacked: Path) -> None:
    """Code and settings may have gone on since; then it says so, and nothing else."""
    findings = audit_study(unpacked / "results" / "micro-full", unpacked).findings
    odd = [one for one in findings if one.status not in ("good", "left out", "stale")]
    assert odd == []
    assert {
        one.reason.partition(" for ")[0].partition(" `")[0] for one in findings if one.status == "stale"
    } <= {
        "the code behind",
        "the study's settings",
    }
    assert sum(one.status == "left out" for one in findings) > 20
