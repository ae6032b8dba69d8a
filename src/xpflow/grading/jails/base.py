"""What a jail is: a command line that starts a payload, with stdin and stdout for its messages.

Everything else about grading is the same for all jails. To add one: a file with a `Jail` in it, and its line
in `xpflow.grading.jails`; `tests/attacks` is the suite that it has to pass.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

GRADING = Path(__file__).parents[1]
PROBE_S = 30.0
INSIDE = "/xpflow"  # where a payload's files lie in a jail
FIRST_UID, UIDS = 210_000, 50_000  # users without an account, for programs when we are root
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "MALLOC_ARENA_MAX": "1",  # else each thread reserves 64 MiB of the address space that is limited
}
TMP_MIB = 64  # of a private /tmp
PYTHON_FLAGS = ("-s", "-S", "-B")  # not -P: a payload's first file finds those beside it


@dataclass(frozen=True, slots=True)
class Payload:
    """What runs in a jail: files by their name there (the first is started), all of xpflow that it holds."""

    files: tuple[tuple[str, Path], ...]

    @property
    def main(self) -> str:
        """Return the name of the file that is started."""
        return self.files[0][0]


_FILES = ("worker.py", "child.py", "frames.py", "packing.py", "unpacking.py", "seccomp.py")
WORKER = Payload(tuple((name, GRADING / name) for name in _FILES))


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start one payload: its command, environment and working directory."""

    command: list[str]
    environment: dict[str, str]
    folder: str


@dataclass(frozen=True, slots=True)
class Jail:
    """A kind of jail.

    Args:
        contains: whether a program in it is kept from our files and the network.
        why_not: () -> why it cannot be used here; None: it can.
        launch: (folder, seat, payload) -> how to start a payload, with an empty private directory and a
            number that tells seats apart.
        image: () -> the image whose files programs see; empty where they see none but the interpreter's.
        version: () -> the software that contains programs, with its version; empty where it says none.
        note: () -> what a user should know of that choice; mostly empty.
    """

    name: str
    contains: bool
    why_not: Callable[[], str | None]
    launch: Callable[[str, int, Payload], Launch]
    image: Callable[[], str] = str
    version: Callable[[], str] = str
    note: Callable[[], str] = str


def arguments(uid: int | None, contained: bool, folder: str) -> str:
    """Return the argument of `worker.py`."""
    return json.dumps({"uid": uid, "contained": contained, "folder": folder})


def python_words(python: str, payload: Payload, uid: int | None) -> list[str]:
    """Return the command that starts a payload inside, where its files lie in INSIDE and /tmp is its own."""
    return [python, *PYTHON_FLAGS, f"{INSIDE}/{payload.main}", arguments(uid, True, "/tmp")]


def user_of(seat: int) -> int:
    """Return the user id that a seat's programs get where we, or the engine of a jail, are root."""
    return FIRST_UID + (os.getpid() * 64 + seat) % UIDS


def own_user_of(seat: int) -> int | None:
    """Return the user id that a seat's programs get, or None where we are not root: they run as we do."""
    return user_of(seat) if os.geteuid() == 0 else None


def private_folder() -> tempfile.TemporaryDirectory[str]:
    """Return an empty temporary directory for one seat."""
    return tempfile.TemporaryDirectory(prefix="xpflow-grading-", ignore_cleanup_errors=True)


def probe(launch: Launch) -> str | None:
    """Start a worker and let it end at once; return what went wrong."""
    try:
        done = subprocess.run(
            launch.command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_S,
            env=launch.environment,
            cwd=launch.folder,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0 and b'"ready"' in done.stdout:
        return None
    return done.stderr.decode(errors="replace").strip()[-300:] or f"exit status {done.returncode}"
