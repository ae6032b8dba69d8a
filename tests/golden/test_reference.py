"""The published tables come out of the published verdicts again, byte for byte, without a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpflow.artifacts.pack import unpack
from xpflow.config import load_study
from xpflow.reporting.produce import produce_tables

ROOT = Path(__file__).parents[2]
ARCHIVE = ROOT / "results" / "reference" / "micro-full.tar.xz"
PUBLISHED = ROOT / "paper_figures" / "micro-full"


def test_the_reference_is_small() -> None:
    assert ARCHIVE.stat().st_size < 10_000_000


@pytest.mark.slow
def test_the_reference_gives_the_published_tables(tmp_path: Path) -> None:
    unpack(ARCHIVE, tmp_path)
    results = tmp_path / "results" / "micro-full"
    paths = produce_tables(load_study(results / "study.yaml"), results, tmp_path / "out")
    assert len(paths) == 14
    for path in paths:
        assert path.read_bytes() == (PUBLISHED / path.name).read_bytes(), path.name
