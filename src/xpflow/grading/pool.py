"""A warm pool: a few oracles, each with a worker in its own jail, fed one program at a time from one thread.

A worker that dies, or does not answer in time, is replaced and its program given to another one; after
`limits.retries` more tries the program's outcome is `infrastructure`.
"""

from __future__ import annotations

import json
import selectors
import struct
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from xpflow.errors import SandboxUnavailable
from xpflow.grading.jails.base import ENVIRONMENT, GRADING, PYTHON_FLAGS, WORKER, Jail, private_folder
from xpflow.grading.verdict import Limits

START_S = 60.0
GRACE_S = 15.0  # for a worker that says nothing
TESTING_S = 5.0  # for tests that the program's answers hold up: the oracle ends them itself, unless in C code
REPLY_LIMIT = 1 << 20
# Tests may import what we are installed with (HumanEval+'s need numpy), on one thread.
LIBRARIES = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
ORACLE_ENVIRONMENT = {
    **ENVIRONMENT,
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
}
Outcome = dict[str, Any]


@dataclass(slots=True)
class Job:
    """One program to run: what goes to the oracle, and how often it was tried."""

    index: int
    program: str
    mode: str
    key: str  # stands for the whole of `problem`
    problem: Mapping[str, Any]
    cpu_s: float | None = None  # instead of the limit that applies to all
    attempts: int = 0

    def request(self, limits: Limits) -> bytes:
        """Return the frame for the oracle."""
        chosen = asdict(limits)
        if self.cpu_s is not None:
            chosen |= {"cpu_s": self.cpu_s, "wall_s": max(limits.wall_s, 2 * self.cpu_s)}
        body = {
            "program": self.program,
            "mode": self.mode,
            "key": self.key,
            "problem": self.problem,
            "limits": chosen,
        }
        data = json.dumps(body).encode()
        return struct.pack("<I", len(data)) + data


class Lost(Exception):
    """A worker ended, said nothing for too long, or does not speak the protocol."""


@dataclass(slots=True)
class Seat:
    """One oracle with its jail.

    It is `ready` once it has said hello, has a `job` while it works, and is `testing` once that job's program
    was started.
    """

    jail: Jail
    number: int
    ready: bool = False
    testing: bool = False
    job: Job | None = None
    deadline: float = 0.0
    _data: bytes = b""
    _folder: Any = field(init=False)
    _errors: Any = field(init=False)
    _process: Any = field(init=False)

    def __post_init__(self) -> None:
        self._folder = private_folder()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the seat
        self._process = self._start()
        self.deadline = time.monotonic() + START_S

    def _start(self) -> subprocess.Popen[bytes]:
        """Start the oracle, which starts the worker in its jail."""
        launch = {**asdict(self.jail.launch(self._folder.name, self.number, WORKER)), "libraries": LIBRARIES}
        return subprocess.Popen(
            [sys.executable, *PYTHON_FLAGS, str(GRADING / "oracle.py"), json.dumps(launch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=ORACLE_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
            bufsize=0,
        )

    def fileno(self) -> int:
        """The descriptor on which replies arrive."""
        return int(self._process.stdout.fileno())

    def give(self, job: Job, limits: Limits) -> None:
        """Send a program; raises Lost when the worker is gone."""
        self.job, self.testing = job, False
        self.deadline = time.monotonic() + max(limits.wall_s, 2 * (job.cpu_s or 0.0)) + GRACE_S
        data = memoryview(job.request(limits))
        try:
            while data:
                data = data[self._process.stdin.write(data) :]
        except OSError as error:
            raise Lost(str(error)) from error

    def take(self) -> Outcome | None:
        """Read what has arrived; return a whole reply or None; raises Lost at the end of the stream."""
        part = self._process.stdout.read(65536)
        if not part:
            raise Lost("the worker ended")
        self._data += part
        reply = self._whole()
        if reply is not None and "stage" in reply:
            self.testing = True
            self.deadline += TESTING_S - GRACE_S
            reply = self._whole()
        return reply

    def _whole(self) -> Outcome | None:
        size = struct.unpack("<I", self._data[:4])[0] if len(self._data) >= 4 else 0
        if size > REPLY_LIMIT:
            raise Lost("the worker does not speak the protocol")
        if len(self._data) < 4 + size or not size:
            return None
        body, self._data = self._data[4 : 4 + size], self._data[4 + size :]
        try:
            return dict(json.loads(body))
        except (ValueError, TypeError) as error:
            raise Lost("the worker does not speak the protocol") from error

    def close(self) -> str:
        """Kill the worker with all in its jail; return what it wrote on standard error."""
        self._process.kill()
        with suppress(OSError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
        self._errors.seek(0)
        text = str(self._errors.read(4000).decode(errors="replace").strip())
        self._errors.close()
        self._folder.cleanup()
        return text


class Pool:
    """Workers that stay warm between calls of `run`; to be used from the thread that made it."""

    def __init__(self, jail: Jail, workers: int, limits: Limits) -> None:
        self.jail, self.workers, self.limits = jail, workers, limits
        self._seats: list[Seat] = []
        self._selector = selectors.DefaultSelector()
        self._failed_starts = 0
        self._numbers = 0

    def run(
        self, jobs: Sequence[Job], on_done: Callable[[Job, Outcome], None], *, workers: int | None = None
    ) -> None:
        """Run all jobs, at most `workers` at a time; `on_done` is called once for each as it completes.

        Raises:
            SandboxUnavailable: workers cannot be started.
        """
        for seat in [seat for seat in self._seats if seat.job]:  # left over from a call that was interrupted
            self._drop(seat)
        waiting = deque(jobs)
        width = min(workers or self.workers, self.workers, len(jobs))
        while waiting or any(seat.job for seat in self._seats):
            self._assign(waiting, width, on_done)
            for seat in self._arrived():
                self._handle(seat, waiting, on_done)

    def close(self) -> None:
        """End all workers."""
        for seat in list(self._seats):
            self._drop(seat)
        self._selector.close()

    def _assign(self, waiting: deque[Job], width: int, on_done: Callable[[Job, Outcome], None]) -> None:
        while len(self._seats) < width:
            self._numbers += 1
            seat = Seat(self.jail, self._numbers)
            self._seats.append(seat)
            self._selector.register(seat, selectors.EVENT_READ)
        for seat in self._seats[:width]:
            if seat.ready and seat.job is None and waiting:
                try:
                    seat.give(waiting.popleft(), self.limits)
                except Lost as lost:
                    self._lose(seat, lost, waiting, on_done)
                    return

    def _arrived(self) -> list[Seat]:
        """Wait for replies; seats past their deadline are included."""
        busy = [seat for seat in self._seats if seat.job or not seat.ready]
        nearest = min((seat.deadline for seat in busy), default=time.monotonic())
        events = self._selector.select(max(0.0, nearest - time.monotonic()))
        seats = [key.fileobj for key, _ in events]
        now = time.monotonic()
        return [seat for seat in self._seats if seat in seats or (seat in busy and seat.deadline < now)]

    def _handle(self, seat: Seat, waiting: deque[Job], on_done: Callable[[Job, Outcome], None]) -> None:
        if seat.job and seat.testing and seat.deadline < time.monotonic():
            held = seat.job  # its answers hold the oracle up in code that no signal reaches
            self._drop(seat)
            reason = "its answers keep the tests busy"
            self._settle(held, {"verdict": "timeout", "reason": reason}, waiting, on_done)
            return
        try:
            if seat.deadline < time.monotonic() and (seat.job or not seat.ready):
                raise Lost("the worker did not answer in time")
            reply = seat.take()
        except Lost as lost:
            self._lose(seat, lost, waiting, on_done)
            return
        if reply is None:
            return
        if not seat.ready:
            seat.ready, self._failed_starts = True, 0
            return
        job, seat.job = seat.job, None
        if reply.get("spent"):
            text = self._drop(seat)
            if reply["verdict"] == "infrastructure" and text:
                reply["reason"] = f"{reply['reason']}: {text[-200:]}"
        if job is not None:
            self._settle(job, reply, waiting, on_done)

    def _lose(
        self, seat: Seat, lost: Lost, waiting: deque[Job], on_done: Callable[[Job, Outcome], None]
    ) -> None:
        job, started, tests = seat.job, seat.ready, seat.testing
        text = self._drop(seat)
        if not started:
            self._failed_starts += 1
            if self._failed_starts > self.limits.retries + self.workers:
                raise SandboxUnavailable(f"workers do not start in jail {self.jail.name!r}: {text or lost}")
        if job is not None:
            said = f"{lost}, while the tests ran: they end its process, or memory is short" if tests else lost
            reason = f"{said}{': ' + text[-200:] if text else ''}"
            self._settle(job, {"verdict": "infrastructure", "reason": reason}, waiting, on_done)

    def _settle(
        self, job: Job, outcome: Outcome, waiting: deque[Job], on_done: Callable[[Job, Outcome], None]
    ) -> None:
        job.attempts += 1
        again = outcome["verdict"] == "infrastructure" and not outcome.get("untestable")
        if again and job.attempts <= self.limits.retries:
            waiting.append(job)
        else:
            on_done(job, outcome)

    def _drop(self, seat: Seat) -> str:
        self._selector.unregister(seat)
        self._seats.remove(seat)
        return seat.close()
