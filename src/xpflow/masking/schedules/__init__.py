"""The schedules that masks can follow: a file each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xpflow.plugins import Table

if TYPE_CHECKING:
    from xpflow.masking.schedule import Rule

SCHEDULES: Table[Rule] = Table(
    kind="schedule",
    group="xpflow.schedules",
    own={
        "constant": "xpflow.masking.schedules.constant",
        "ordered": "xpflow.masking.schedules.ordered",
        "blocks": "xpflow.masking.schedules.blocks",
        "permutation": "xpflow.masking.schedules.permutation",
        "learned": "xpflow.masking.schedules.learned",
    },
    accepts="xpflow.masking.schedule:Rule",
    attribute="SCHEDULE",
)
