"""A crate holds the study's files and an action for each manifest, and the validator accepts it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import rocrate

from xpflow.artifacts.crate import write_bill_of_materials, write_crate
from xpflow.artifacts.io import atomic_write_text
from xpflow.artifacts.pack import small_files
from xpflow.artifacts.record import Record
from xpflow.errors import ArtifactError

ROOT = Path(__file__).parents[3]
PYTHON = os.environ.get("XPFLOW_ROCRATE_VALIDATOR")


@pytest.fixture
def crate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    problems, table = Path("results/s/problems/a.jsonl"), Path("paper_figures/s/table1.md")
    atomic_write_text(problems, "{}\n")
    Record("problems", {"benchmark": "a"}).write([problems])
    record = Record("tables")
    record.read(problems)
    atomic_write_text(table, "| 1 |\n")
    record.write([table], "tables")
    files = small_files([Path("results/s"), Path("paper_figures/s")], Path())
    assert write_crate(Path(), files, Path("crate"), "A study", ROOT / "Snakefile", "9") == 3
    return tmp_path / "crate"


def test_files_and_actions_are_in_it(crate: Path) -> None:
    graph = {one["@id"]: one for one in json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]}
    assert (crate / "paper_figures/s/table1.md").read_text() == "| 1 |\n"
    actions = [one for one in graph.values() if one["@type"] == "CreateAction"]
    made = [one for one in actions if one["result"] == [{"@id": "paper_figures/s/table1.md"}]]
    assert [one["instrument"]["@id"] for one in made] == ["#xpflow-tables"]
    assert made[0]["object"] == [{"@id": "results/s/problems/a.jsonl"}]


def test_a_study_without_manifests_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="has a manifest"):
        write_crate(tmp_path, [], tmp_path / "crate", "A study", ROOT / "Snakefile", "9")


def test_the_bill_of_materials_names_every_package(tmp_path: Path) -> None:
    assert write_bill_of_materials(tmp_path / "bom.json") > 50
    bom = json.loads((tmp_path / "bom.json").read_text())
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    assert "torch" in {one["name"] for one in bom["components"]}


@pytest.mark.slow
@pytest.mark.skipif(PYTHON is None, reason="set XPFLOW_ROCRATE_VALIDATOR to a Python that has roc-validator")
def test_the_validator_accepts_it(crate: Path, tmp_path: Path) -> None:
    context = Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld"
    script = Path(__file__).with_name("offline_validator.py")
    command = [str(PYTHON), str(script), str(context), str(crate), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "is a valid workflow-run-crate-0.5" in done.stdout
