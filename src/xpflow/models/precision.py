"""The precision a model runs in: the one that the study names, or the faster one by a short measurement."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

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
