"""A model on a device: the precision it runs in, and whether it fits, before any data is read.

The precision is the one that the study names, or the faster one by a short measurement. A device's free
memory is compared with what loading needs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from xpflow.errors import ModelLoadError
from xpflow.models.stored import StoredTensor

SIZE, REPEATS = 1024, 5
MARGIN = 0.9  # bfloat16 must take less than this share of float32's time


def chosen_dtype(
    name: str, device: torch.device, seconds: Callable[[torch.dtype, torch.device], float] | None = None
) -> torch.dtype:
    """Return the dtype of `runtime.dtype`; "auto" measures a matrix product in both and takes the faster.

    What "auto" gives depends on the machine, so a study that is to be repeated elsewhere names its dtype.
    """
    if name != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]
    measure = seconds or product_seconds
    faster = measure(torch.bfloat16, device) < MARGIN * measure(torch.float32, device)
    return torch.bfloat16 if faster else torch.float32


def product_seconds(dtype: torch.dtype, device: torch.device) -> float:
    """Return the least seconds of a 1024 x 1024 matrix product, of five."""
    matrix = torch.ones(SIZE, SIZE, dtype=dtype, device=device)
    best = float("inf")
    for _ in range(REPEATS + 1):
        started = time.perf_counter()
        float((matrix @ matrix)[0, 0])  # waits for the device
        best = min(best, time.perf_counter() - started)
    return best


GIB = 2**30
# Bytes beside the weights that a GPU must have: context, kernels and the activations of one small batch.
WORKSPACE = GIB


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a device in bytes."""

    name: str
    free: int
    total: int


def named_device(name: str | torch.device) -> torch.device:
    """Return a device by its name; raises ModelLoadError for a name that is none."""
    try:
        found = torch.device(name)
    except RuntimeError as error:
        raise ModelLoadError(
            f"{name!r} is no device", hint="cpu, cuda, or cuda:1 for a second GPU"
        ) from error
    if found.type not in ("cpu", "cuda", "meta"):
        raise ModelLoadError(f"device {found} is not supported", hint="cpu, cuda, or cuda:1 for a second GPU")
    return found


def memory_of(device: torch.device) -> Memory | None:
    """Return a device's memory, None where it cannot be told; raises ModelLoadError for an absent GPU."""
    if device.type == "cpu":
        return _main_memory(Path("/proc/meminfo"), Path("/sys/fs/cgroup/memory.max"))
    if device.type != "cuda":
        return None
    count = torch.cuda.device_count()
    if (device.index or 0) >= count:
        raise ModelLoadError(
            f"device {device} is asked for, and torch sees {count} GPUs",
            hint="`xpflow doctor` says what is there; runtime.device: cpu needs none",
        )
    free, total = torch.cuda.mem_get_info(device)
    return Memory(f"{device} ({torch.cuda.get_device_name(device)})", free, total)


def needed_bytes(stored: Iterable[StoredTensor], dtype: torch.dtype | None) -> int:
    """Return the bytes of a model in `dtype` (None: as stored) and of the largest tensor on its way."""
    sizes = [(tensor.numel * dtype.itemsize if dtype else tensor.nbytes, tensor.nbytes) for tensor in stored]
    return sum(size for size, _ in sizes) + max((nbytes for _, nbytes in sizes), default=0)


def require_room(needed: int, memory: Memory | None, dtype: torch.dtype | None) -> None:
    """Raise ModelLoadError when the device has too little free memory."""
    if memory is None:
        return
    gpu = memory.name.startswith("cuda")
    needed += WORKSPACE if gpu else 0
    if memory.free >= needed:
        return
    precision = str(dtype).removeprefix("torch.") if dtype else "its stored precision"
    small = memory.total < needed
    hints = [
        "use runtime.dtype: bfloat16, which needs half of it" if dtype in (torch.float32, None) else "",
        f"a {'GPU' if gpu else 'machine'} with at least {needed / GIB:.0f} GiB is needed"
        if small
        else f"other processes hold the rest ({'nvidia-smi' if gpu else 'top'} shows them): end them or wait",
    ]
    raise ModelLoadError(
        f"{memory.name} is too small for the model in {precision}: it needs {needed / GIB:.1f} GiB, and"
        f" {memory.free / GIB:.1f} of {memory.total / GIB:.1f} GiB are free",
        hint="; ".join(filter(None, hints)),
    )


def _main_memory(meminfo: Path, limit: Path) -> Memory | None:
    """Return the main memory, or the container's limit where that is less."""
    try:
        lines = dict(
            line.split(":", 1)
            for line in meminfo.read_text(encoding="ascii", errors="replace").splitlines()
            if ":" in line
        )
        free, total = (int(lines[key].split()[0]) * 1024 for key in ("MemAvailable", "MemTotal"))
    except (OSError, KeyError, ValueError, IndexError):
        return None
    try:
        most = int(limit.read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such file, or "max"
        most = total
    return Memory("main memory", min(free, most), min(total, most))
