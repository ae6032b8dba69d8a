"""Protocols by name. To add one: a file that defines it, and one line in the table below."""

from __future__ import annotations

from xpflow.errors import ConfigError, nearest
from xpflow.protocols.evalplus import EVALPLUS_CHAT
from xpflow.protocols.llada import LLADA_OPENCOMPASS, LLADA_V1
from xpflow.protocols.llada2 import LLADA2_CHAT
from xpflow.protocols.lm_eval import LM_EVAL_INSTRUCT
from xpflow.protocols.micropy import MICROPY
from xpflow.protocols.protocol import Protocol

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (MICROPY, LLADA_OPENCOMPASS, LLADA_V1, LLADA2_CHAT, LM_EVAL_INSTRUCT, EVALPLUS_CHAT)
}
# Results from before protocols had names were made with this one.
UNNAMED = "micropy@1"


def find_protocol(name: str) -> Protocol:
    """Return a protocol by its name, or by the name@version that results carry.

    Raises:
        ConfigError: there is none, or this xpflow has another version of it.
    """
    plain, at, version = name.partition("@")
    if plain not in PROTOCOLS:
        raise ConfigError(f"no such protocol: {name!r}", hint=nearest(plain, PROTOCOLS))
    protocol = PROTOCOLS[plain]
    if at and version != str(protocol.version):
        raise ConfigError(
            f"no such protocol: {name!r}; this xpflow has {protocol.label}",
            hint="decode and grade with one version of xpflow",
        )
    return protocol
