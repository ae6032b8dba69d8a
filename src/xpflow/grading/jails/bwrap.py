"""`bwrap`: bubblewrap namespaces, the default.

What it gives: no network, a read-only root in which only the interpreter, the standard library and the
system's shared libraries exist, a private /tmp of bounded size, nothing writable in /dev, no /proc, its own
process, IPC, host-name and cgroup namespaces, no new privileges, no environment. What it does not: a defence
against kernel bugs, or a bound on the memory of all processes of one program together.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import sysconfig
from functools import cache
from pathlib import Path

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

# What bubblewrap says where it may not make namespaces, or not fill them.
REFUSED = re.compile(
    "namespace|[ug]id map|RTM_NEWADDR|Operation not permitted|Permission denied|No space left", re.IGNORECASE
)
APPARMOR_CURE = (
    "allow it to bwrap alone: write `abi <abi/4.0>, profile bwrap /usr/bin/bwrap flags=(unconfined) { userns,"
    " }` to /etc/apparmor.d/bwrap and run `apparmor_parser -r /etc/apparmor.d/bwrap`; or to every program:"
    " `sysctl kernel.apparmor_restrict_unprivileged_userns=0`"
)
CONTAINER_CURE = (
    "start it with more rights (docker: --security-opt seccomp=unconfined --security-opt apparmor=unconfined)"
)
# A file below /proc/sys -> the value that refuses namespaces to a plain user, who does that, and what helps.
CAUSES = {
    "kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        "AppArmor refuses user namespaces to plain users",
        APPARMOR_CURE,
    ),
    "kernel/unprivileged_userns_clone": (
        "0",
        "the kernel refuses user namespaces to plain users",
        "`sysctl kernel.unprivileged_userns_clone=1`",
    ),
    "user/max_user_namespaces": (
        "0",
        "the kernel allows no user namespaces",
        "`sysctl user.max_user_namespaces=15000`",
    ),
}
JAIL_HOME = "/py"  # the interpreter's prefix inside


def launch(folder: str, seat: int, payload: Payload) -> Launch:
    """Start the payload in namespaces of its own."""
    return Launch(_command(_as_root(), seat, payload), {}, "/")


def _command(as_root: bool, seat: int, payload: Payload) -> list[str]:
    uid = user_of(seat) if as_root else None
    environment = {**ENVIRONMENT, "HOME": "/tmp", "TMPDIR": "/tmp", "PYTHONHOME": JAIL_HOME}
    environment["LD_LIBRARY_PATH"] = f"{JAIL_HOME}/lib"
    return [
        shutil.which("bwrap") or "bwrap",
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
def _as_root() -> bool:
    """Whether bwrap can be used as real root (then programs are given a user of their own)."""
    return os.geteuid() == 0 and probe(Launch(_command(True, 0, WORKER), {}, "/")) is None


@cache
def why_not() -> str | None:
    """Return why it cannot be used here."""
    if not sys.platform.startswith("linux"):
        return f"it needs Linux, this is {sys.platform}"
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed: install the package `bubblewrap`"
    if _as_root():
        return None
    complaint = probe(Launch(_command(False, 0, WORKER), {}, "/"))
    return None if complaint is None else explained(complaint)


def explained(complaint: str, settings: Path = Path("/proc/sys")) -> str:
    """Return bubblewrap's complaint with its cause and cure, where it was refused namespaces of its own."""
    if not REFUSED.search(complaint):
        return complaint
    for name, (refusing, cause, cure) in CAUSES.items():
        try:
            value = (settings / name).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if value == refusing:
            setting = f"{name.replace('/', '.')} = {value}"
            return f"bubblewrap is installed, but {cause} ({setting}): {cure} [{complaint}]"
    return (
        f"bubblewrap is installed, but it is refused namespaces of its own. In a container: {CONTAINER_CURE}."
        f" On Ubuntu 24.04 AppArmor may be the cause: {APPARMOR_CURE} [{complaint}]"
    )


JAIL = Jail("bwrap", True, why_not, launch)
