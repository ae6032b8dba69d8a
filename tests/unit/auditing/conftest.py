"""A small study on disk, made by the commands themselves: one model, one benchmark, two arms, no training."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from xpflow.artifacts.manifest import FileRecord, read_manifest, write_manifest
from xpflow.cli import main
from xpflow.cli.recording import stage_record
from xpflow.reporting.from_config import plan_from_config
from xpflow.reporting.results import Outcomes, load_results
from xpflow.reporting.tables import table1, table2, write_table
from xpflow.study.config import StudyConfig, load_study
from xpflow.study.layout import Layout
from xpflow.study.stages import evaluated_files

STUDY = """
study: {name: little}
problems: {benchmarks: [{name: micropy-he, limit: 3, gen_length: 32}]}
models: [{name: llada-micro, training: full}]
evaluation:
  budgets: [1/4]
  arms:
    - {name: mask, decoder: mask_prediction}
    - {name: flow, decoder: flow, policy: 'confidence:8'}
reporting: {baseline_arm: mask, flow_arm: flow, bootstrap_samples: 200}
grading: {workers: 1}
"""
RESULTS, FIGURES = Path("results/little"), Path("paper_figures/little")
EVALUATED = ["--model", "llada-micro", "--weights", "base", "--benchmark", "micropy-he"]
EVALUATED += ["--seed", "0", "--shard", "1/1"]
RUN = RESULTS / "llada-micro/eval/micropy-he/flow/1-4/seed0"


def committed(patch: pytest.MonkeyPatch) -> None:
    """Make the source a committed one, whatever state the checkout is in."""
    facts = {"name": "xpflow", "version": "0", "git": {"commit": "0" * 40, "changed": False}}
    for module in ("record", "audit"):
        patch.setattr(f"xpflow.artifacts.{module}.package_facts", lambda: facts)


@pytest.fixture(scope="session")
def little(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the study ran in; do not change it."""
    folder, written = tmp_path_factory.mktemp("little"), tmp_path_factory.mktemp("written") / "little.yaml"
    part = RESULTS / "llada-micro/parts/micropy-he/base/seed0/1-of-1"
    problems, config = RESULTS / "problems/micropy-he.jsonl", RESULTS / "study.yaml"
    written.write_text(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        committed(patch)
        base = ["--config", config, "--problems", problems]
        for command in (
            ["config", "show", written, "--out", config],
            ["problems", "export", "micropy-he", "--limit", 3, "--config", config, "--out", problems],
            ["evaluate", *base, *EVALUATED, "--out", part / "samples.jsonl"],
            ["grade", *base, "--samples", part / "samples.jsonl", "--out", part / "verdicts.jsonl"],
            ["merge", "evaluation", part, "--problems", problems, "--out", RUN.parents[2]],
        ):
            assert main([str(word) for word in command]) == 0, command
        shutil.rmtree(RESULTS / "llada-micro/parts")
        write_tables(load_study(config))
    return folder


def write_tables(study: StudyConfig) -> None:
    """Write Tables 1 and 2, as `xpflow tables` does: the others need an alignment."""
    record, plan = stage_record(study, "tables"), plan_from_config(study)
    record.read(*(file for file in evaluated_files(study, Layout(RESULTS, RESULTS))))
    outcomes = Outcomes(load_results(RESULTS, plan.rows, plan.protocols))
    tables = [table1(plan, outcomes), table2(plan, outcomes)]
    record.write([path for table in tables for path in write_table(table, FIGURES)], "tables")


@pytest.fixture
def inside(little: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the study, with the working directory in it."""
    for name in ("results", "paper_figures"):
        shutil.copytree(little / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    committed(monkeypatch)
    return tmp_path


@pytest.fixture
def edit() -> Callable[[Path, Callable[[list[dict[str, Any]]], object]], None]:
    """Return a function that changes the rows of a JSON-lines file, with the manifest that lists it."""

    def change(file: Path, how: Callable[[list[dict[str, Any]]], object]) -> None:
        rows = [json.loads(line) for line in file.read_text().split("\n") if line]
        how(rows)
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        file.write_bytes(text.encode("utf-8", "backslashreplace"))  # half a pair stays an escape
        seal(file.parent)

    return change


def seal(folder: Path) -> None:
    """Make the manifests of a folder list its files as they are now."""
    for path in folder.glob("*.manifest.json"):
        manifest = read_manifest(path)
        files = tuple(FileRecord.of(folder / one.path, one.path) for one in manifest.files)
        write_manifest(path, replace(manifest, files=files))


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Return a function that runs `xpflow audit` and returns exit code and both outputs as one text."""

    def run(*arguments: object) -> tuple[int, str]:
        capsys.readouterr()
        code = main(["audit", *map(str, arguments)])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run
