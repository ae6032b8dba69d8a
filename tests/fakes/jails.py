"""A jail of fake workers (`worker.py`), and the problem that they answer."""

from __future__ import annotations

import sys
from pathlib import Path

from xpflow import grading
from xpflow.grading.jails.base import Jail, Launch, Payload
from xpflow.problems import Problem

FAKE_WORKER = Path(__file__).with_name("worker.py")
SOURCE = Path(grading.__file__).parents[2]
ADD = Problem("add", "Add.", "add", ("assert add(1, 2) == 3", "assert add(-1, 1) == 0"), "", "t", "t", "mbpp")


def fake(first_dies: bool = False) -> Jail:
    """A jail of fake workers; with `first_dies`, seat 1 ends before it has said hello."""

    def launch(folder: str, seat: int, payload: Payload) -> Launch:
        script = ["-c", "pass"] if first_dies and seat == 1 else [str(FAKE_WORKER)]
        return Launch([sys.executable, *script], {"PYTHONPATH": str(SOURCE)}, folder)

    return Jail("fake", True, lambda: None, launch)
