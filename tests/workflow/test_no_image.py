"""`snakemake --use-singularity` with Apptainer and no image says what to do, before the first job."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CALLED = "apptainer-was-called"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A fresh checkout without an image, and an Apptainer that notes what it is asked to run."""
    for name in ("Snakefile", "workflow", "config"):
        place = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        place(ROOT / name, tmp_path / name)
    ours = shutil.ignore_patterns("*.sif", "images.local.yaml")
    shutil.copytree(ROOT / "containers", tmp_path / "containers", ignore=ours)
    (tmp_path / "src").symlink_to(ROOT / "src")
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "apptainer"
    fake.write_text(
        f'#!/bin/sh\ncase "$1" in --version) echo "apptainer version 1.4.5";; *) touch {CALLED};; esac\n'
    )
    fake.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("study", ["config/smoke.yaml", "with_files.yaml"])
def test_it_says_make_image_before_any_job(checkout: Path, study: str) -> None:
    (checkout / "personas.jsonl").write_text("{}\n")
    (checkout / "with_files.yaml").write_text(
        "study: {name: far}\nproblems: {sources: {tulu3_personas: personas.jsonl}}\n"
    )
    path = f"{checkout / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "all", "--use-singularity", "--configfile", study],
        cwd=checkout, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    said = done.stderr + done.stdout
    assert "there is no container image" in said, said[-2000:]
    assert "`make image` (that is `xpflow image build`" in said
    assert "Traceback" not in said
    assert not (checkout / "results").exists()
    assert not (checkout / CALLED).exists()
