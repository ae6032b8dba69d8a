"""The SLURM profile for real: the smoke study to its end on a private SLURM of one node, and what goes wrong.

One run shows it all: a job with too little memory, training that SLURM puts back and that then exceeds its
time limit, GPUs asked for by one rule. Minutes; `tests/one_node_slurm.py` says what this SLURM lacks.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from one_node_slurm import PACKAGES, OneNodeSlurm, missing_programs, one_node_slurm
from xpflow.errors import XpflowError
from xpflow.slurm import check_cluster

ROOT = Path(__file__).parents[2]
PROFILE = ROOT / "workflow" / "profiles" / "slurm"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("XPFLOW_TEST_SLURM"), reason="minutes: wants XPFLOW_TEST_SLURM=1"),
    pytest.mark.skipif(
        bool(missing_programs()),
        reason=f"no {', '.join(missing_programs())} (Debian: apt-get install {PACKAGES})",
    ),
]

STUDY = f"""
extends: {ROOT}/config/smoke.yaml
study: {{name: slurm}}
grpo: {{updates: 16, checkpoint_every: 1}}
"""
# What docs/slurm.md calls a profile of one's own: this cluster is small and quick.
CLUSTER = """
cores: 4
slurm-init-seconds-before-status-checks: 1
latency-wait: 10
set-resources:
  decode_shard: {gpu: 1}
  trace: {mem_mb: 400 * attempt}
  train_policy: {runtime: 1}
"""
T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """What is left of the run: where, what Snakemake printed, every job of SLURM, training's starts."""

    slurm: OneNodeSlurm
    folder: Path
    returncode: int
    output: str
    jobs: list[dict[str, str]]
    first_updates: list[int]

    def jobs_of(self, rule: str) -> list[dict[str, str]]:
        return jobs_of(self.jobs, rule)


def jobs_of(jobs: list[dict[str, str]], rule: str) -> list[dict[str, str]]:
    """Return the jobs of a rule or group in the order of their submission."""
    found = [job for job in jobs if job["Comment"].startswith(f"rule_{rule}")]
    return sorted(found, key=lambda job: int(job["JobId"]))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("study")
    (folder / "study.yaml").write_text(STUDY)
    (folder / "cluster").mkdir()
    (folder / "cluster" / "config.yaml").write_text(CLUSTER)
    with one_node_slurm(tmp_path_factory.mktemp("slurm")) as slurm:
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--nocolor"]
        command += ["--profile", str(PROFILE), "--profile", "cluster", "--configfile", "study.yaml"]
        path = slurm.environment["PATH"].replace(":", f":{Path(sys.executable).parent}:", 1)
        with (folder / "output").open("w") as output:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**slurm.environment, "PATH": path},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                first_updates = disturb_training(slurm, folder, process)
                process.wait()
            finally:
                process.kill()
        yield Run(slurm, folder, process.wait(), (folder / "output").read_text(), slurm.jobs(), first_updates)


def disturb_training(slurm: OneNodeSlurm, folder: Path, process: subprocess.Popen[bytes]) -> list[int]:
    """Have SLURM put the training job back; then freeze it until its time limit ends it.

    Returns the first update of each of its three starts.
    """
    log = folder / "results" / "slurm" / "logs" / "train_policy" / "seed0.log"

    def wait_for(ready: Callable[[], T]) -> T:
        while process.poll() is None:
            found = ready()
            if found:
                return found
            time.sleep(0.05)
        pytest.fail(f"it ended too early:\n{(folder / 'output').read_text()[-6000:]}")

    def updates(other_than: int = 0) -> list[int]:
        """Return the updates of the present start once it has two, so that the state holds one of them."""
        text = log.read_text() if log.exists() else ""
        found = [int(number) for number in re.findall(r"^grpo update (\d+)/", text, re.MULTILINE)]
        return found if len(found) > 1 and found[0] != other_than else []

    first = [wait_for(updates)[0]]
    [job] = jobs_of(slurm.jobs(), "train_policy")
    slurm.ask("scontrol", "requeue", job["JobId"])
    first.append(wait_for(lambda: updates(first[-1]))[0])
    for pid in training_processes(folder):
        os.kill(pid, signal.SIGSTOP)
    first.append(wait_for(lambda: updates(first[-1]))[0])
    return first


def training_processes(folder: Path) -> list[int]:
    """Return the processes of `xpflow grpo` that run in a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"grpo" in words and (entry / "cwd").resolve() == folder:
                found.append(int(entry.name))
        except OSError:  # it has ended, or is not ours
            continue
    return found


def test_the_study_runs_to_its_end(run: Run) -> None:
    assert run.returncode == 0, run.output[-6000:]
    shown = {path.name for path in (run.folder / "paper_figures" / "slurm").iterdir()}
    assert {"table1.md", "table2.md", "claims.json", "figure_2a.png", "grpo.png", "trace.png"} <= shown


def test_only_the_rule_that_wants_a_gpu_asks_for_one(run: Run) -> None:
    asked = {job["JobId"] for job in run.jobs if "TresPerJob" in job}
    decoding = run.jobs_of("decode_shard")
    assert {job["JobId"] for job in decoding} == asked
    assert {job["TresPerJob"] for job in decoding} == {"gres:gpu:1"}
    assert {job["Partition"] for job in run.jobs if job["JobId"] in asked} == {"gpu"}
    assert {job["Partition"] for job in run.jobs if job["JobId"] not in asked} == {"cpu"}


def test_small_jobs_share_submissions(run: Run) -> None:
    [rules] = re.findall(r"^total +(\d+)$", run.output, re.MULTILINE)
    submissions = len({job["Comment"] for job in run.jobs})
    assert submissions <= 0.6 * int(rules)
    graded = run.output.count("(Rule: grade_shard)")
    groups = len(run.jobs_of("grade."))
    assert groups <= graded / 2
    assert all("gpu" not in job.get("TresPerJob", "") for job in run.jobs_of("grade."))


def test_a_job_that_fails_for_want_of_memory_is_submitted_again_with_more(run: Run) -> None:
    *failed, last = run.jobs_of("trace")
    assert failed
    assert {job["JobState"] for job in failed} <= {"FAILED", "OUT_OF_MEMORY"}
    assert last["JobState"] == "COMPLETED"
    memory = [job["MinMemoryNode"] for job in (*failed, last)]
    assert memory == [f"{400 * attempt}M" for attempt in range(1, len(memory) + 1)]


def test_training_goes_on_from_its_state_when_slurm_puts_it_back_or_ends_it(run: Run) -> None:
    jobs = run.jobs_of("train_policy")
    assert jobs[0]["Restarts"] == "1"
    assert jobs[0]["JobState"] == "TIMEOUT"
    assert jobs[0]["TimeLimit"] == "00:01:00"
    assert jobs[-1]["JobState"] == "COMPLETED"
    first, put_back, submitted_again = run.first_updates
    assert first == 1 < put_back < submitted_again
    rows = (run.folder / "results" / "slurm" / "policy" / "seed0" / "log.jsonl").read_text().splitlines()
    assert len(rows) == 16


def test_slurm_is_asked_before_the_first_job(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert run.output.index("it would take a job: --partition=gpu") < run.output.index("has been submitted")
    for name in ("PATH", "SLURM_CONF"):
        monkeypatch.setenv(name, run.slurm.environment[name])
    lines = list(check_cluster(PROFILE / "partitions.yaml", gpu=True))
    assert lines[-1] == "it would take a job: --partition=gpu --gpus=1"
    for text, said in {
        "gpv: {max_gpu: 1}": "did you mean 'gpu'",
        "cpu: {max_gpu: 0}": "no partition with GPUs",
    }.items():
        (tmp_path / "mine.yaml").write_text(f"partitions:\n  {text}\n")
        with pytest.raises(XpflowError, match=said):
            list(check_cluster(tmp_path / "mine.yaml", gpu=True))
    with pytest.raises(XpflowError, match="slurm-status-command: squeue"):
        list(check_cluster(status_command="sacct"))
