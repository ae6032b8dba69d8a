"""The places in which the worker process runs: `bwrap` (namespaces) and `unsafe-local` (limits only).

A jail is a command line that starts `worker.py`, with stdin and stdout for its messages; everything else
about grading is the same for all. To add one: a function that returns the command, and an entry in `JAILS`.

What bwrap gives: no network, a read-only root in which only the interpreter, the standard library and the
system's shared libraries exist, a private /tmp of bounded size, no /proc, its own process, IPC, host-name
and cgroup namespaces, no new privileges, no environment. What it does not: a defence against kernel bugs,
or a bound on the memory of all processes of one program together.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import IO

from xpflow.errors import SandboxUnavailable, nearest

FOLDER = Path(__file__).parent
WORKER, ORACLE = FOLDER / "worker.py", FOLDER / "oracle.py"
JAILED_FILES = ("worker.py", "wire.py", "seccomp.py")  # all of xpflow that a jail holds
PROBE_S = 30.0
JAIL_HOME = "/py"  # the interpreter's prefix inside bwrap
FIRST_UID, UIDS = 210_000, 50_000  # users without an account, for programs when we are root
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
}
_PYTHON_FLAGS = ("-s", "-S", "-B")  # not -P: worker.py finds the two files beside it


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start one worker: its command, environment and working directory."""

    command: list[str]
    environment: dict[str, str]
    folder: str


@dataclass(frozen=True, slots=True)
class Jail:
    """A kind of jail: `why_not()` says why it cannot be used here (None: it can); `launch(folder, seat)`."""

    name: str
    contains: bool
    why_not: Callable[[], str | None]
    launch: Callable[[str, int], Launch]


def choose_jail(name: str | None = None) -> Jail:
    """Return the named jail; None or "auto": bwrap where it works, else `unsafe-local` and a printed warning.

    Raises:
        SandboxUnavailable: no such jail, or the named one does not work on this machine.
    """
    if name is None or name == "auto":
        return _best()
    if name not in JAILS:
        raise SandboxUnavailable(f"no such jail: {name!r}", hint=nearest(name, JAILS))
    jail = JAILS[name]
    problem = jail.why_not()
    if problem is not None:
        raise SandboxUnavailable(
            f"jail {name!r} does not work here: {problem}", hint="`xpflow doctor` lists the jails"
        )
    if not jail.contains:
        _warn(f"jail {name!r}: generated code runs as your user with limits only; it can read your files")
    return jail


def start(jail: Jail, folder: str, seat: int, errors: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start an oracle process, which starts the worker in its jail.

    `folder` is an empty private directory for the jail, `seat` tells workers apart.
    """
    launch = json.dumps(asdict(jail.launch(folder, seat)))
    return subprocess.Popen(
        [sys.executable, *_PYTHON_FLAGS, str(ORACLE), launch],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=_ENVIRONMENT,
        cwd="/",
        start_new_session=True,
        bufsize=0,
    )


def _best() -> Jail:
    bwrap = JAILS["bwrap"]
    problem = bwrap.why_not()
    if problem is None:
        return bwrap
    _warn(
        f"no jail: bwrap does not work here ({problem}); generated code runs as your user, with limits only "
        "(install bubblewrap, or run where a jail works; see `xpflow doctor`)"
    )
    return JAILS["unsafe-local"]


@cache
def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)


def _uid(seat: int) -> int:
    return FIRST_UID + (os.getpid() * 64 + seat) % UIDS


def _arguments(uid: int | None, contained: bool, folder: str) -> str:
    return json.dumps({"uid": uid, "contained": contained, "folder": folder})


def _local(folder: str, seat: int) -> Launch:
    uid = _uid(seat) if os.geteuid() == 0 else None
    command = [sys.executable, *_PYTHON_FLAGS, str(WORKER), _arguments(uid, False, folder)]
    return Launch(command, {**_ENVIRONMENT, "HOME": folder, "TMPDIR": folder}, folder)


def _bwrap(folder: str, seat: int) -> Launch:
    return Launch(_bwrap_command(_as_root(), seat), {}, "/")


def _bwrap_command(as_root: bool, seat: int) -> list[str]:
    uid = _uid(seat) if as_root else None
    environment = {**_ENVIRONMENT, "HOME": "/tmp", "TMPDIR": "/tmp", "PYTHONHOME": JAIL_HOME}
    environment["LD_LIBRARY_PATH"] = f"{JAIL_HOME}/lib"
    python = f"{JAIL_HOME}/bin/python"
    return [
        shutil.which("bwrap") or "bwrap",
        *_namespaces(as_root),
        *("--die-with-parent", "--new-session", "--as-pid-1", "--clearenv"),
        *_file_system(),
        *(word for name, value in environment.items() for word in ("--setenv", name, value)),
        *("--perms", "0755", "--dir", "/xpflow"),
        *(word for name in JAILED_FILES for word in ("--ro-bind", str(FOLDER / name), f"/xpflow/{name}")),
        *("--remount-ro", "/", "--chdir", "/tmp"),
        *(python, *_PYTHON_FLAGS, "/xpflow/worker.py", _arguments(uid, True, "/tmp")),
    ]


def _namespaces(as_root: bool) -> list[str]:
    """Unshare everything. Real root keeps its user namespace, so that each program can run as another user.

    Otherwise the process limit would not hold: the kernel exempts root, also behind a user namespace.
    """
    if not as_root:
        return ["--unshare-all", "--hostname", "jail"]
    rights = [word for right in ("SETUID", "SETGID", "KILL") for word in ("--cap-add", f"CAP_{right}")]
    kinds = ("ipc", "pid", "net", "uts", "cgroup-try")
    return [*(f"--unshare-{kind}" for kind in kinds), "--hostname", "jail", "--cap-drop", "ALL", *rights]


@cache
def _file_system() -> tuple[str, ...]:
    """Return the mounts: interpreter, standard library, shared libraries; no site-packages, home or /proc."""
    words: list[str] = []
    for folder in ("/usr", JAIL_HOME, f"{JAIL_HOME}/bin", f"{JAIL_HOME}/lib"):
        words += ["--perms", "0755", "--dir", folder]  # else made for root's eyes only
    for path in map(Path, ("/usr/lib", "/usr/lib64", "/lib", "/lib64")):
        if path.is_symlink():
            words += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    base = Path(sys.base_prefix)
    binary = Path(sys.executable).resolve()
    words += ["--ro-bind", str(binary), f"{JAIL_HOME}/bin/python"]
    # The venv that we may run in has no standard library: all prefixes are the base interpreter's.
    prefixes = dict.fromkeys(("base", "platbase", "installed_base", "installed_platbase"), str(base))
    for stdlib in sorted({sysconfig.get_path(key, vars=prefixes) for key in ("stdlib", "platstdlib")}):
        inside = Path(JAIL_HOME) / Path(stdlib).relative_to(base)
        words += ["--ro-bind", stdlib, str(inside)]
        if (Path(stdlib) / "site-packages").is_dir():
            words += ["--tmpfs", str(inside / "site-packages"), "--remount-ro", str(inside / "site-packages")]
    if base != Path("/usr"):
        for library in sorted((base / "lib").glob("*.so*")):
            words += ["--ro-bind", str(library), f"{JAIL_HOME}/lib/{library.name}"]
    words += ["--dev", "/dev", "--remount-ro", "/dev"]
    return (*words, "--perms", "1777", "--size", str(64 << 20), "--tmpfs", "/tmp")


@cache
def _as_root() -> bool:
    """Whether bwrap can be used as real root (then programs are given a user of their own)."""
    return os.geteuid() == 0 and _probe(_bwrap_command(True, 0)) is None


@cache
def _bwrap_problem() -> str | None:
    if not sys.platform.startswith("linux"):
        return f"it needs Linux, this is {sys.platform}"
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed"
    return None if _as_root() else _probe(_bwrap_command(False, 0))


def _probe(command: list[str]) -> str | None:
    """Start a worker and let it end at once; return what went wrong."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_S, env={}, cwd="/"
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0 and b'"ready"' in done.stdout:
        return None
    return done.stderr.decode(errors="replace").strip()[-300:] or f"exit status {done.returncode}"


def _local_problem() -> str | None:
    return None if sys.platform.startswith("linux") else f"it needs Linux, this is {sys.platform}"


def private_folder() -> tempfile.TemporaryDirectory[str]:
    """Return an empty temporary directory for one worker."""
    return tempfile.TemporaryDirectory(prefix="xpflow-grading-", ignore_cleanup_errors=True)


JAILS: dict[str, Jail] = {
    "bwrap": Jail("bwrap", True, _bwrap_problem, _bwrap),
    "unsafe-local": Jail("unsafe-local", False, _local_problem, _local),
}
