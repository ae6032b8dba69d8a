"""The processes of one training job: how they are started, who this one is, what they tell one another.

A command starts itself again as several processes of one machine, by torch's elastic launcher. The ranks are
the same command with RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT in their environment; a
launcher that sets these itself (torchrun, srun with the right exports) is left to it. One rank's error ends
the others and is shown once: the first one that is xpflow's own, else the first of all. A signal to the
command reaches the ranks; killed outright, it takes them along (Linux).

Without RANK a process works alone, and every method of its team is trivial. Messages between CPUs go through
gloo, gradients on GPUs through NCCL.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import sys
import tempfile
import time
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from xpflow.errors import ConfigError, XpflowError

ERRORS, PARENT = "XPFLOW_RANK_ERRORS", "XPFLOW_RANK_PARENT"
EXIT_ERROR, EXIT_BUG = 2, 1
SHUTDOWN_S = 10  # between asking the ranks to end and killing them
PR_SET_PDEATHSIG = 1


def run_in_processes(processes: int, arguments: Sequence[str], work: Callable[[], None]) -> None:
    """Do `work` here, or start `xpflow ARGUMENTS` in `processes` processes that each come here and do it.

    Raises:
        SystemExit: with the exit code of the rank that failed, after its error was printed, or 128 plus the
        number of the signal that ended the command.
    """
    if processes > 1 and not in_team():
        code = _start(processes, arguments)
        if code:
            raise SystemExit(code)
    elif ERRORS in os.environ:
        _work_as_rank(work)
    else:
        work()


def keeps_record() -> bool:
    """Return whether this process notes what the command reads and writes: one of them all does."""
    return ERRORS not in os.environ and os.environ.get("RANK", "0") == "0"


def _start(processes: int, arguments: Sequence[str]) -> int:
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    for name in [name for name in logging.root.manager.loggerDict if name.startswith("torch.distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what we print is enough
    with tempfile.TemporaryDirectory(prefix="xpflow-ranks-") as folder:
        os.environ |= {ERRORS: folder, PARENT: str(os.getpid())}
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            run_id=uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            local_addr="localhost",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=folder),
            shutdown_timeout=SHUTDOWN_S,
        )
        try:
            elastic_launch(config, sys.executable)("-m", "xpflow.cli", *arguments)
        except ChildFailedError as failed:
            return _report(Path(folder), failed.failures)
        except SignalException as stopped:
            return 128 + int(stopped.sigval)
        finally:
            del os.environ[ERRORS], os.environ[PARENT]
    return 0


def _work_as_rank(work: Callable[[], None]) -> None:
    """Do the work of a rank that we started; an error goes into a file, and the process ends at once."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(os.environ[PARENT]):
        os._exit(EXIT_BUG)  # the command was gone before it could take us along
    try:
        work()
    except BaseException as error:
        ours = isinstance(error, XpflowError) and os.environ.get("XPFLOW_DEBUG") != "1"
        text = f"error: {error}" if ours else traceback.format_exc().rstrip()
        record = {"bug": not ours, "time": time.monotonic(), "text": text}
        path = Path(os.environ[ERRORS]) / f"rank{os.environ['RANK']}.json"
        path.with_suffix(".tmp").write_text(json.dumps(record))
        path.with_suffix(".tmp").rename(path)
        sys.stderr.flush()
        os._exit(EXIT_BUG if record["bug"] else EXIT_ERROR)  # the others may wait in a call that never ends


def _report(folder: Path, failures: Mapping[int, Any]) -> int:
    """Print the error that ended the ranks and return the exit code."""
    records = [json.loads(path.read_text()) for path in folder.glob("rank*.json")]
    killed = [(rank, -failure.exitcode) for rank, failure in failures.items() if failure.exitcode < 0]
    first = min(records, key=lambda record: (record["bug"], record["time"]), default=None)
    if first is not None and not (first["bug"] and killed):
        print(first["text"], file=sys.stderr)
        return EXIT_BUG if first["bug"] else EXIT_ERROR
    for rank, number in killed[:1]:
        name = signal.Signals(number).name
        print(
            f"error: process {rank} was ended by {name}\n"
            "  hint: SIGKILL often means that the machine ran out of memory; started again, it resumes",
            file=sys.stderr,
        )
    return EXIT_ERROR


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
        """Replace tensors of one dtype and device by their sums over processes, the same bits in all."""
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
