"""Running the workflow as a user does: the command, the Snakefile of this repository, a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from xpflow.artifacts.code import SHARED, covered, noted
from xpflow.artifacts.manifest import ENDING, Manifest, read_manifest
from xpflow.artifacts.record import portable_word

ROOT = Path(__file__).parents[2]


# One model, one benchmark, no policy training: the smallest study with every other stage in it.
TINY = """
study: {name: tiny}
problems: {benchmarks: [{name: micropy-he, limit: 6}]}
models: [{name: llada-micro, training: full}]
selfdata: {prompts: 4, budget: 1/8, heldout: 4}
training: {full: {updates: 4, batch_size: 4}, warmup_updates: 1, log_every: 1}
evaluation:
  budgets: [1/4]
  batch_size: 2
  arms:
    - {name: mask-base, decoder: mask_prediction, seeds: first}
    - {name: flow, decoder: flow, weights: paper, policy: 'confidence:8'}
reporting: {bootstrap_samples: 200, figure_formats: [png]}
runtime: {shards: SHARDS}
"""


@dataclass(frozen=True)
class Workflow:
    """The workflow in a folder, where its results go.

    `lock`: Snakemake's own lock, which `make` does without. `cache`: the shared cache of checkpoints.
    `watched`: a folder in which each process notes the modules that it loaded (tests/fakes/watched).
    """

    folder: Path
    lock: bool = False
    cache: Path | None = None
    watched: Path | None = None

    def command(self, *arguments: str, config: str | Path = ROOT / "config" / "smoke.yaml") -> list[str]:
        profile = ROOT / "workflow" / "profiles" / "laptop"
        start = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
        start += [] if self.lock else ["--nolock"]
        return [*start, "--profile", str(profile), *arguments, "--configfile", str(config)]

    @property
    def environment(self) -> dict[str, str]:
        """Our `xpflow` comes first, as after `make`."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        cache = {"XPFLOW_CACHE": str(self.cache)} if self.cache else {}
        watched = {}
        if self.watched:
            before = [os.environ["PYTHONPATH"]] if "PYTHONPATH" in os.environ else []
            hooks = os.pathsep.join([str(ROOT / "tests" / "fakes" / "watched"), *before])
            watched = {"XPFLOW_WATCHED": str(self.watched), "PYTHONPATH": hooks}
        return {**os.environ, "PATH": path, **cache, **watched}

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

    def uncovered(self) -> dict[str, set[str]]:
        """Return the modules that stages loaded and that their fingerprints do not cover, by command.

        Of a watched run, asked in its folder: manifests have paths relative to it.
        """
        assert self.watched is not None
        made = {
            manifest.command: manifest
            for path in self.folder.rglob(f"*{ENDING}")
            for manifest in _with_shards(read_manifest(path))
        }
        found: dict[str, set[str]] = {}
        whatever = {*noted(), *SHARED, "xpflow.__main__"}
        for note in map(json.loads, (path.read_text() for path in self.watched.iterdir())):
            manifest = made.get(("xpflow", *map(portable_word, note["argv"])))
            if manifest is not None:
                command = manifest.stage["command"]
                known = covered(command, manifest.facts.get("plugins", ())) | whatever
                found.setdefault(command, set()).update(set(note["loaded"]) - known)
        return found

    def figures(self, study: str) -> dict[str, bytes]:
        """Return what the study shows, by file name.

        Manifests, which hold times, are left out, and the report, which holds their hashes.
        """
        folder = self.folder / "paper_figures" / study
        shown = (path for path in sorted(folder.iterdir()) if not path.name.endswith((ENDING, "report.html")))
        return {path.name: path.read_bytes() for path in shown}


def _with_shards(manifest: Manifest) -> list[Manifest]:
    return [manifest, *(deeper for one in manifest.shards() for deeper in _with_shards(one))]


@pytest.fixture(scope="session")
def workflow_in(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Workflow]:
    """Return a function that makes a workflow in a new folder."""
    return lambda name: Workflow(tmp_path_factory.mktemp(name))


@pytest.fixture(scope="session")
def finished(workflow_in: Callable[[str], Workflow], tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """The smoke study, run once from nothing and watched; do not change it."""
    workflow = replace(workflow_in("smoke"), watched=tmp_path_factory.mktemp("watched"))
    done = workflow.run()
    assert done.returncode == 0, done.stdout[-6000:]
    return workflow


@pytest.fixture(scope="session")
def tiny_configs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The smallest study, in one and in two shards."""
    folder = tmp_path_factory.mktemp("configs")
    for shards in (1, 2):
        (folder / f"{shards}.yaml").write_text(TINY.replace("SHARDS", str(shards)))
    return {shards: folder / f"{shards}.yaml" for shards in (1, 2)}


@pytest.fixture(scope="session")
def tiny(
    workflow_in: Callable[[str], Workflow],
    tiny_configs: dict[int, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Workflow:
    """The smallest study, run once from nothing, with a shared cache that was empty; do not change it."""
    workflow = replace(workflow_in("tiny"), cache=tmp_path_factory.mktemp("cache"))
    done = workflow.run(config=tiny_configs[1])
    assert done.returncode == 0, done.stdout[-6000:]
    return workflow


@pytest.fixture
def undecoded(tiny: Workflow, workflow_in: Callable[[str], Workflow]) -> Workflow:
    """A copy of the smallest study, without its cache, that is still to be decoded and drawn."""
    workflow = workflow_in("undecoded")
    shutil.copytree(tiny.folder, workflow.folder, dirs_exist_ok=True)
    shutil.rmtree(workflow.folder / "results/tiny/llada-micro/eval")
    shutil.rmtree(workflow.folder / "paper_figures")
    return workflow
