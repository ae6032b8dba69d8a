"""Starting a command again as several processes of one machine, by torch's elastic launcher.

The ranks are the same command with RANK and so on in their environment; a cluster's launcher that sets these
itself (torchrun, srun with the right exports) is left to it. One rank's error ends the others, and is shown
once: the first one that is xpflow's own, else the first of all. A signal to the command reaches the ranks;
killed outright, it takes them along (Linux).
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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from xpflow.errors import XpflowError
from xpflow.runtime.team import in_team

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
        record = {"bug": not ours, "time": time.time(), "text": text}
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
