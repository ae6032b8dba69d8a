"""The device class: what decides how numbers are rounded, so whether two decodings give the same tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from xpflow.artifacts.environment import environment_facts
from xpflow.artifacts.manifest import Manifest, manifest_of
from xpflow.errors import ConfigError
from xpflow.study.config import StudyConfig


@dataclass(frozen=True, slots=True)
class DeviceClass:
    """What decides how numbers are rounded; two samples of one class have the same tokens."""

    device: str
    dtype: str
    processor: str
    torch: str

    @classmethod
    def of_manifest(cls, manifest: Manifest) -> DeviceClass:
        """Return the class that a manifest of `xpflow evaluate` names."""
        facts, environment = manifest.facts, manifest.environment
        torch = str((environment.get("libraries") or {}).get("torch"))
        device = str(facts.get("device")).partition(":")[0]
        return cls(device, str(facts.get("dtype")), str(environment.get("processor")), torch)

    @classmethod
    def here(cls, study: StudyConfig) -> DeviceClass:
        """Return the class that a study has on this machine; ConfigError where it has no such device."""
        require_device(study.runtime.device)
        import torch

        facts, device = environment_facts(), study.runtime.device
        kind = device.partition(":")[0]
        processor = torch.cuda.get_device_name(device) if kind == "cuda" else facts["processor"]
        return cls(kind, study.runtime.dtype, str(processor), str(facts["libraries"]["torch"]))

    def __str__(self) -> str:
        """Return the class in words."""
        return f"{self.device} ({self.processor}), {self.dtype}, torch {self.torch}"


def require_device(device: str) -> None:
    """Raise ConfigError unless a device is one of this machine's: cpu, cuda or cuda:N."""
    import torch

    named = re.fullmatch(r"cpu|cuda(?::([0-9]{1,3}))?", device)
    if named is None:
        raise ConfigError(f"no such device: {device[:40]!r}", hint="cpu, cuda or cuda:N")
    if device != "cpu" and int(named[1] or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"this machine has no device {device}", hint=f"it has {torch.cuda.device_count()} GPUs; cpu works"
        )


def made_on(samples: Path) -> DeviceClass | None:
    """Return the device class that decoded a published file of samples; None where no manifest tells.

    Raises:
        ArtifactError: a manifest of that folder is broken.
    """
    found = manifest_of(samples)
    for one in found[2].shards() if found else ():
        if one.stage["command"] == "evaluate":
            return DeviceClass.of_manifest(one)
    return None
