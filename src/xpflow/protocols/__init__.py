"""Protocols: how a problem is asked, decoded and read, by name and version."""

from xpflow.protocols.prompter import Prompter, ids_hash, text_hash
from xpflow.protocols.protocol import Protocol, Turn, Way
from xpflow.protocols.registry import PROTOCOLS, UNNAMED, find_protocol

__all__ = [
    "PROTOCOLS",
    "UNNAMED",
    "Prompter",
    "Protocol",
    "Turn",
    "Way",
    "find_protocol",
    "ids_hash",
    "text_hash",
]
