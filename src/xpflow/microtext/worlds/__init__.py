"""The worlds by name: to add one, a file that defines it and its line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xpflow.errors import DataError
from xpflow.plugins import Table

if TYPE_CHECKING:
    from xpflow.microtext.world import World

WORLDS: Table[World] = Table(
    kind="world",
    group="xpflow.worlds",
    own={
        "english": "xpflow.microtext.worlds.english:WORLD",
        "english-emissions": "xpflow.microtext.worlds.english:EMISSIONS",
        "english-transitions": "xpflow.microtext.worlds.english:TRANSITIONS",
        "orders": "xpflow.microtext.worlds.orders:WORLD",
        "orders-transitions": "xpflow.microtext.worlds.orders:TRANSITIONS",
        "agreement-2-3": "xpflow.microtext.worlds.agreement:V2_L3",
        "agreement-2-10": "xpflow.microtext.worlds.agreement:V2_L10",
        "agreement-8-3": "xpflow.microtext.worlds.agreement:V8_L3",
        "agreement-8-10": "xpflow.microtext.worlds.agreement:V8_L10",
        "agreement-32-3": "xpflow.microtext.worlds.agreement:V32_L3",
        "agreement-32-10": "xpflow.microtext.worlds.agreement:V32_L10",
    },
    accepts="xpflow.microtext.world:World",
    attribute="WORLD",
    error=DataError,
)
