"""The result of a script: what was measured, on which machine with which versions, as one JSON file."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from common import FULL
from xpflow import __version__
from xpflow.artifacts.io import atomic_write_text

RESULTS = Path(__file__).parent / "results"
SCHEMA = 1


def hardware(device: str) -> dict[str, Any]:
    """Return what the machine is: GPU with driver, CPU, cores."""
    found: dict[str, Any] = {"cpu": _cpu_name(), "cores": len(os.sched_getaffinity(0))}
    found["torch_threads"] = torch.get_num_threads()
    if device.startswith("cuda"):
        card = torch.cuda.get_device_properties(device)
        found |= {"gpu": card.name, "gpu_memory_bytes": card.total_memory, "cuda": torch.version.cuda}
        found["driver"] = _driver()
    return found


def versions() -> dict[str, str]:
    """Return the versions of what computes."""
    names = ("torch", "transformers", "peft")
    return {"python": platform.python_version(), "xpflow": __version__, **{n: version(n) for n in names}}


@dataclass
class Report:
    """One result file: `values` measured, `targets` with what they are compared with."""

    name: str
    options: argparse.Namespace
    model: Any
    values: dict[str, Any] = field(default_factory=dict)
    targets: list[dict[str, Any]] = field(default_factory=list)
    rates: dict[str, float] = field(default_factory=dict)

    @property
    def counts(self) -> bool:
        """Return whether the targets are meant for this run: full shape on a GPU."""
        options = self.options
        return options.model in FULL and options.device.startswith("cuda") and not options.layers

    def target(
        self, name: str, value: float, *, at_least: float | None = None, at_most: float | None = None
    ) -> None:
        """Add a target; it is judged only where it is meant for the run (`met` is null elsewhere)."""
        met = (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
        row = {"name": name, "value": value, "at_least": at_least, "at_most": at_most}
        self.targets.append({**row, "met": met if self.counts else None})

    def write(self) -> Path:
        """Write the file and print its content."""
        options = self.options
        given = {k: v for k, v in vars(options).items() if k not in ("out", "model", "device", "dtype")}
        content = {
            "schema": SCHEMA,
            "benchmark": self.name,
            "model": options.model,
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            "weights": "random",
            "device": options.device,
            "dtype": options.dtype,
            "options": given,
            "counts_for_targets": self.counts,
            "hardware": hardware(options.device),
            "versions": versions(),
            "measured_rates": self.rates,
            "results": self.values,
            "targets": self.targets,
        }
        out: Path = options.out or RESULTS / f"{self.name}-{options.model}-{_slug(options.device)}.json"
        text = json.dumps(content, indent=1, default=str)
        atomic_write_text(out, text + "\n")
        print(text)
        return out


def _slug(device: str) -> str:
    if not device.startswith("cuda"):
        return "cpu"
    name = torch.cuda.get_device_properties(device).name.lower().removeprefix("nvidia ")
    return re.sub(r"[^a-z0-9]+", "-", name).strip("-")


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _driver() -> str:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout.strip() else "unknown"
