"""The places in which programs run: one file and one entry in `JAILS` each."""

from __future__ import annotations

import sys
from functools import cache

from xpflow.errors import SandboxUnavailable, nearest
from xpflow.grading.jails import apptainer, bwrap, docker, local
from xpflow.grading.jails.base import Jail, Launch, Payload

__all__ = ["JAILS", "Jail", "Launch", "Payload", "choose_jail"]

JAILS: dict[str, Jail] = {jail.name: jail for jail in (bwrap.JAIL, docker.JAIL, apptainer.JAIL, local.JAIL)}


def choose_jail(name: str | None = None) -> Jail:
    """Return the named jail; None or "auto" is bwrap. There is no way to get `unsafe-local` but its name.

    Raises:
        SandboxUnavailable: no such jail, or it does not work on this machine.
    """
    wanted = "bwrap" if name is None or name == "auto" else name
    if wanted not in JAILS:
        raise SandboxUnavailable(f"no such jail: {name!r}", hint=nearest(wanted, JAILS))
    jail = JAILS[wanted]
    problem = jail.why_not()
    if problem is not None:
        raise SandboxUnavailable(
            f"jail {wanted!r} does not work here: {problem}",
            hint="install bubblewrap, or name another jail (grading.jail): `xpflow doctor` lists them",
        )
    if not jail.contains:
        _warn(f"jail {wanted!r}: generated code runs as your user with limits only; it can read your files")
    return jail


@cache
def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)
