"""`unsafe-local`: a plain process with limits. It contains nothing: a program can read what you can read.

Has to be asked for by name. Where we are root, each program runs as a user without an account.
"""

from __future__ import annotations

import sys

from xpflow.grading.jails.base import ENVIRONMENT, PYTHON_FLAGS, Jail, Launch, Payload, arguments, own_user_of


def launch(folder: str, seat: int, payload: Payload) -> Launch:
    """Start the payload where its files lie."""
    argument = arguments(own_user_of(seat), False, folder)
    command = [sys.executable, *PYTHON_FLAGS, str(payload.files[0][1]), argument]
    packages = {str(path.parents[1]) for name, path in payload.files if "/" in name}
    environment = {**ENVIRONMENT, "HOME": folder, "TMPDIR": folder}
    return Launch(
        command, {**environment, **({"PYTHONPATH": ":".join(packages)} if packages else {})}, folder
    )


def why_not() -> str | None:
    """Return why it cannot be used here."""
    return None if sys.platform.startswith("linux") else f"it needs Linux, this is {sys.platform}"


JAIL = Jail("unsafe-local", False, why_not, launch)
