"""The smoke study in containers for real: Apptainer, an image built on this machine, no network.

Needs a folder made by prepare_container.py, named by XPFLOW_TEST_CONTAINERS; an image that is not of the
present sources is built again first. The recipes themselves are compared in tests/unit/images.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import prepare_container as machine

from xpflow.artifacts import sha256_file
from xpflow.artifacts.manifest import ENDING
from xpflow.images import choose_container, read_local

FOLDER = os.environ.get("XPFLOW_TEST_CONTAINERS")
HOW = "set XPFLOW_TEST_CONTAINERS to a folder made by `python tests/workflow/prepare_container.py FOLDER`"
FLAG, SAME_FLAG = "--use-singularity", ["--sdm", "apptainer"]
CONNECT = "import socket; socket.create_connection(('192.0.2.1', 80), 5)"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not FOLDER, reason=HOW)]


@pytest.fixture(scope="module")
def checkout() -> Path:
    """A copy of the repository with an image of it, and no results."""
    folder = Path(str(FOLDER)).resolve()
    machine.build_image(folder)
    for name in ("results", "paper_figures", ".snakemake"):
        shutil.rmtree(folder / "checkout" / name, ignore_errors=True)
    return folder / "checkout"


def snakemake(checkout: Path, *arguments: str) -> str:
    """Run the smoke study as a user would, cut off from the network; return what was printed."""
    command = [sys.executable, "-m", "snakemake", "--cores", "all", *arguments]
    done = subprocess.run(
        ["unshare", "--net", *command, "--configfile", "config/smoke.yaml"],
        cwd=checkout,
        env=machine.environment(checkout.parent),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def inside(checkout: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the image with the options that the workflow gives to its jobs."""
    environment = machine.environment(checkout.parent)
    image = choose_container(checkout, used=True, environment=environment)
    words = ["apptainer", "exec", os.path.abspath(image), *command]
    return subprocess.run(words, env=environment, cwd=checkout, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def study(checkout: Path) -> Path:
    """The smoke study, run in containers."""
    snakemake(checkout, FLAG)
    return checkout


def test_a_job_has_no_network_no_home_of_the_host_and_the_jail_works(checkout: Path) -> None:
    devices = inside(checkout, "cat", "/proc/net/dev").stdout
    assert [line.split(":")[0].strip() for line in devices.splitlines()[2:]] == ["lo"]
    connected = inside(checkout, "python", "-c", CONNECT)
    assert "Network is unreachable" in connected.stderr
    assert inside(checkout, "test", "-e", str(checkout.parent / "base")).returncode != 0
    chosen = "from xpflow.grading.jails.choose import choose_jail; print(choose_jail().name)"
    assert inside(checkout, "python", "-c", chosen).stdout == "bwrap\n"


def test_the_study_says_the_digest_of_its_image(study: Path) -> None:
    local = read_local(study)
    assert local is not None
    assert local.digest == f"sha256:{sha256_file(study / local.reference)}"
    for name in ("table1", "table2", "contrasts", "alignment"):
        text = (study / "paper_figures" / "smoke" / f"{name}.md").read_text()
        assert f"**Container**: {local.digest} (base " in text
    logs = [path.read_text() for path in (study / "results" / "smoke" / "logs").rglob("*.log")]
    assert logs
    assert all(f"container image {local.digest}" in text for text in logs)
    manifests = [json.loads(path.read_text()) for path in (study / "results").rglob(f"*{ENDING}")]
    made_by_jobs = [one for one in manifests if one["stage"]["command"] != "config"]  # not study.yaml
    assert made_by_jobs
    assert {one["environment"]["container"] for one in made_by_jobs} == {local.digest}


def test_the_numbers_are_those_of_a_run_without_a_container(study: Path, finished: Any) -> None:
    shown = finished.figures("smoke")
    for name in ("table1.csv", "table2.csv", "contrasts.csv", "alignment.csv", "claims.json"):
        lines = (study / "paper_figures" / "smoke" / name).read_text().splitlines(keepends=True)
        without = [line for line in lines if not line.startswith("# Container: ")]
        assert "".join(without).encode() == shown[name]
        assert (len(without) < len(lines)) == name.endswith(".csv")


def test_both_flags_are_the_same_thing(study: Path) -> None:
    assert "Nothing to be done" in snakemake(study, *SAME_FLAG)


def test_the_profile_runs_nothing_again_either(study: Path) -> None:
    assert "Nothing to be done" in snakemake(study, "--profile", "workflow/profiles/container")
