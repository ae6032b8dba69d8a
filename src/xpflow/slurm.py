"""Whether a SLURM cluster would take a study's jobs, asked before the first one, in SLURM's own words.

Each partition is asked with `sbatch --test-only`, which submits nothing. Not asked: whether a job's own
memory and time fit, and how long it would wait.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from xpflow.errors import ConfigError, XpflowError, nearest

COMMANDS = ("sbatch", "srun", "squeue", "scontrol", "sinfo", "scancel")
ANSWER_S = 60.0


class ClusterError(XpflowError):
    """SLURM is out of reach or would refuse the jobs."""


def check_cluster(
    partitions: Path | None = None, *, account: str = "", status_command: str = "squeue", gpu: bool = False
) -> Iterator[str]:
    """Yield what works, one line each.

    Args:
        partitions: the file that `slurm-partition-config` of a profile names; None: the cluster's default.
        account: the one that the jobs run under; empty: the user's default.
        status_command: how Snakemake asks for the state of jobs, squeue or sacct.
        gpu: whether the study's jobs ask for GPUs.

    Raises ClusterError or ConfigError at the first thing that does not.
    """
    missing = [name for name in COMMANDS if shutil.which(name) is None]
    if missing:
        raise ClusterError(
            f"no SLURM here: {', '.join(missing)} not found",
            hint="run this on a login node, or without a cluster with --profile workflow/profiles/laptop",
        )
    known = set(_ask("sinfo", "--noheader", "--format=%R", hint="is SLURM_CONF right, and SLURM up?").split())
    yield f"SLURM answers: {len(known)} partitions"
    if status_command == "sacct":
        hint = "no accounting here, and jobs would never be seen to end: slurm-status-command: squeue"
        _ask("sacct", "--noheader", "--allocations", hint=hint)
    for name, limits in _partitions(partitions, gpu).items():
        if name and name not in known:
            raise ConfigError(
                f"{partitions}: the cluster has no partition {name!r}", hint=nearest(name, known)
            )
        options = [f"--partition={name}"] if name else []
        options += [f"--account={account}"] if account else []
        options += ["--gpus=1"] if gpu and limits.get("max_gpu") else []
        hint = "docs/slurm.md says where partitions, account and GPUs are set"
        _ask("sbatch", "--test-only", *options, "--time=1", "--wrap=true", hint=hint)
        yield f"it would take a job: {' '.join(options) or 'default partition'}"


def _partitions(file: Path | None, gpu: bool) -> dict[str, Any]:
    """Return the limits of each partition of a file, by name; for no file those of a nameless default."""
    if file is None:
        return {"": {"max_gpu": 1}}
    try:
        found = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("partitions")
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read {file}: {error}", hint="see docs/slurm.md") from error
    if not isinstance(found, dict) or not found:
        raise ConfigError(f"{file} names no partition", hint="see workflow/profiles/slurm/partitions.yaml")
    partitions = {str(name): limits or {} for name, limits in found.items()}
    if gpu and not any(limits.get("max_gpu") for limits in partitions.values()):
        raise ConfigError(
            f"{file} has no partition with GPUs, and the study runs on cuda",
            hint="give one `max_gpu`, or set `runtime.device: cpu` in the study",
        )
    return partitions


def _ask(*command: str, hint: str) -> str:
    """Return what a command prints; raises ClusterError with its complaint."""
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=ANSWER_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"no answer in {ANSWER_S:.0f} s: {' '.join(command)}", hint=hint) from error
    if done.returncode:
        raise ClusterError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}", hint=hint)
    return done.stdout
