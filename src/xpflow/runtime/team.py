"""The processes of one training job: who this one is, and what they tell one another.

A process knows its team from the environment that torchrun, our own start (`training.launch`) or a cluster's
launcher sets: RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT. Without RANK it works alone, and
every method is then trivial. Messages between CPUs go through gloo, gradients on GPUs through NCCL.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from xpflow.errors import ConfigError

TIMEOUT = timedelta(hours=2)  # the slowest wait: others still grade or save while this one is done


@dataclass(frozen=True, slots=True)
class Team:
    """One process among `size`, of which `local_size` share its machine."""

    rank: int = 0
    size: int = 1
    local_size: int = 1

    @property
    def leads(self) -> bool:
        """Return whether this process is the one that prints and writes."""
        return self.rank == 0

    def gather(self, value: Any) -> list[Any]:
        """Return every process's value (anything that pickles, tensors on the CPU), in the order of ranks."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found

    def wait(self) -> None:
        """Return when all processes are here."""
        if self.size > 1:
            dist.barrier()

    def sum_(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors of one dtype and device by their sums over the processes, bit for bit the same in
        all."""
        if self.size == 1 or not tensors:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def rows(self, count: int, at_a_time: int | None = None) -> list[Rows]:
        """Return this process's share of `count` rows, in pieces of `at_a_time` (None: one piece).

        Every process gets the same number of pieces of the same sizes: where rows run out, row 0 stands in
        and does not count.
        """
        share = -(-count // self.size)
        mine = list(range(self.rank * share, (self.rank + 1) * share))
        step = min(at_a_time or share, share)
        pieces = [mine[i : i + step] for i in range(0, share, step)]
        return [Rows([i if i < count else 0 for i in p], [i < count for i in p]) for p in pieces]


@dataclass(frozen=True, slots=True)
class Rows:
    """Row numbers of a batch, and which of them count."""

    numbers: list[int]
    counts: list[bool]


ALONE = Team()


def in_team() -> bool:
    """Return whether this process was started as one of several (the environment has RANK)."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


@contextmanager
def joined(device: str) -> Iterator[tuple[Team, torch.device]]:
    """Join the team of the environment for the time of a `with` block; yields it and this process's device.

    `device` is the study's: "cuda" becomes the GPU of the process's number on its machine. Raises ConfigError
    for a number of processes that does not fit the machine.
    """
    if not in_team():
        yield ALONE, torch.device(device)
        return
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    local, local_size = int(os.environ.get("LOCAL_RANK", 0)), int(os.environ.get("LOCAL_WORLD_SIZE", size))
    own = torch.device(device)
    if own.type == "cuda":
        own = _own_gpu(own, local, local_size)
    dist.init_process_group("cpu:gloo,cuda:nccl" if own.type == "cuda" else "gloo", timeout=TIMEOUT)
    yield Team(rank, size, local_size), own
    dist.destroy_process_group()  # not after an exception: the others may wait in a call that never ends


def _own_gpu(device: torch.device, local: int, local_size: int) -> torch.device:
    visible = torch.cuda.device_count()
    if local >= visible or (local_size > 1 and device.index is not None):
        raise ConfigError(
            f"{local_size} processes on one machine with {visible} visible GPUs, device {str(device)!r}",
            hint="one GPU per process: runtime.device is cuda and runtime.processes the number of GPUs",
        )
    own = torch.device("cuda", local if device.index is None else device.index)
    torch.cuda.set_device(own)
    return own
