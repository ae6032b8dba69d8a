"""Running the workflow as a user does: the command, the Snakefile of this repository, a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from xpflow.artifacts.manifest import ENDING

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Workflow:
    """The workflow in a folder, where its results go; with Snakemake's own lock, or as `make` runs it."""

    folder: Path
    lock: bool = False

    def command(self, *arguments: str, config: str | Path = ROOT / "config" / "smoke.yaml") -> list[str]:
        profile = ROOT / "workflow" / "profiles" / "laptop"
        start = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
        start += [] if self.lock else ["--nolock"]
        return [*start, "--profile", str(profile), *arguments, "--configfile", str(config)]

    @property
    def environment(self) -> dict[str, str]:
        """Our `xpflow` comes first, as after `make`; two jobs side by side on any machine."""
        return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def run(
        self, *arguments: str, config: str | Path = ROOT / "config" / "smoke.yaml"
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end; standard error is part of the output."""
        return subprocess.run(
            self.command(*arguments, config=config),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def start(self, *arguments: str, config: str | Path) -> subprocess.Popen[str]:
        """Start in a process group of its own, so that it can be killed as a whole."""
        return subprocess.Popen(
            self.command(*arguments, config=config),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def figures(self, study: str) -> dict[str, bytes]:
        """Return what the study shows, by file name; manifests, which hold times, are left out."""
        folder = self.folder / "paper_figures" / study
        shown = (path for path in sorted(folder.iterdir()) if not path.name.endswith(ENDING))
        return {path.name: path.read_bytes() for path in shown}


@pytest.fixture(scope="session")
def workflow_in(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Workflow]:
    """Return a function that makes a workflow in a new folder."""
    return lambda name: Workflow(tmp_path_factory.mktemp(name))


@pytest.fixture(scope="session")
def finished(workflow_in: Callable[[str], Workflow]) -> Workflow:
    """The smoke study, run once from nothing; do not change it."""
    workflow = workflow_in("smoke")
    done = workflow.run()
    assert done.returncode == 0, done.stdout[-6000:]
    return workflow
