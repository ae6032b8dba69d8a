"""Which jail programs run in: the one that is named, or the default."""

from __future__ import annotations

import sys
from functools import cache

from xpflow.errors import SandboxUnavailable
from xpflow.grading.jails import JAILS
from xpflow.grading.jails.base import Jail


def resolved(name: str | None) -> str:
    """Return the jail that a name means; None and "auto" are the first of the table. Imports no jail."""
    return next(iter(JAILS)) if name is None or name == "auto" else name


def choose_jail(name: str | None = None) -> Jail:
    """Return the named jail; None or "auto" is the default.

    There is no way to get `unsafe-local` but its name.

    Raises:
        SandboxUnavailable: no such jail, or it does not work on this machine.
    """
    wanted = resolved(name)
    jail = JAILS[wanted]
    problem = jail.why_not()
    if problem is not None:
        raise SandboxUnavailable(
            f"jail {wanted!r} does not work here: {problem}",
            hint="or name another jail (grading.jail): `xpflow doctor` lists them",
        )
    if note := jail.note():
        _warn(note)
    if not jail.contains:
        _warn(f"jail {wanted!r}: generated code runs as your user with limits only; it can read your files")
    return jail


@cache
def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)
