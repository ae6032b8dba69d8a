"""GPUs that a plan is made for: published rates, memory, and the fractions of them that are counted on."""

from __future__ import annotations

from dataclasses import dataclass

from xpflow.errors import ConfigError, nearest

GB = 1e9


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU by its data sheet: dense rates in FLOP/s, bandwidth in byte/s, memory in bytes."""

    name: str
    bf16_flop_per_s: float
    fp32_flop_per_s: float
    bytes_per_s: float
    memory: float


# NVIDIA's data sheets: dense bf16 on the tensor cores, fp32 without TF32 (its default for matrix products).
GPUS: dict[str, Gpu] = {
    gpu.name: gpu
    for gpu in (
        Gpu("h200", 989e12, 67e12, 4.8e12, 141 * GB),
        Gpu("h100", 989e12, 67e12, 3.35e12, 80 * GB),
        Gpu("a100-80", 312e12, 19.5e12, 2.0e12, 80 * GB),
    )
}


@dataclass(frozen=True, slots=True)
class Machine:
    """A GPU as a plan uses it: sustained rates (FLOP/s, byte/s) and usable memory (bytes)."""

    name: str
    flop_per_s: float
    bytes_per_s: float
    usable: float


def find_gpu(name: str) -> Gpu:
    """Return a GPU by name; raises ConfigError with the nearest one."""
    key = {"a100": "a100-80"}.get(name.lower(), name.lower())
    if key not in GPUS:
        raise ConfigError(f"no such GPU: {name!r}", hint=nearest(key, GPUS))
    return GPUS[key]
