"""The places in which programs run, by name: to add one, a file that defines it and its line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xpflow.errors import SandboxUnavailable
from xpflow.plugins import Table

if TYPE_CHECKING:
    from xpflow.grading.jails.base import Jail

JAILS: Table[Jail] = Table(
    kind="jail",
    group="xpflow.jails",
    own={
        "bwrap": "xpflow.grading.jails.bwrap:JAIL",
        "docker": "xpflow.grading.jails.docker:JAIL",
        "apptainer": "xpflow.grading.jails.apptainer:JAIL",
        "unsafe-local": "xpflow.grading.jails.local:JAIL",
    },
    accepts="xpflow.grading.jails.base:Jail",
    attribute="JAIL",
    error=SandboxUnavailable,
)
