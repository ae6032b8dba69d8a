"""Kind 4: manifests decide what is out of date, where Snakemake remembers nothing too."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cases.conftest import SOURCE

TARGET = "results/fresh/problems/humaneval.jsonl"


@pytest.mark.slow
def test_results_copied_to_a_fresh_clone_are_judged_by_the_study_of_today(place: Any) -> None:
    def study(limit: int) -> None:
        place.study(study={"name": "fresh"}, problems={"benchmarks": [{"name": "humaneval", "limit": limit}]})

    def snakemake(folder: Path, *words: str) -> str:
        command = [
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            str(SOURCE.parent / "Snakefile"),
            "--nolock",
        ]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "PYTHONPATH": str(SOURCE)}
        command += ["--cores", "1", "--configfile", str(place / "study.yaml"), *words, "--", TARGET]
        options: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "check": False}
        done = subprocess.run(command, cwd=folder, env=environment, **options)
        assert done.returncode == 0, done.stdout[-3000:]
        return str(done.stdout)

    study(6)
    snakemake(place.folder)
    clone = place / "clone"
    shutil.copytree(place / "results", clone / "results")
    assert "Nothing to be done" in snakemake(clone, "--dry-run")
    study(5)
    assert "Nothing to be done" not in snakemake(clone, "--dry-run")
