"""Finding a protocol by its name, or by the name@version that results carry."""

from __future__ import annotations

from xpflow.errors import ConfigError
from xpflow.protocols import PROTOCOLS
from xpflow.protocols.protocol import Protocol

# Results from before protocols had names were made with this one; so is what names none.
UNNAMED = "micropy@1"


def find_protocol(name: str = UNNAMED) -> Protocol:
    """Return a protocol by its name, or by the name@version that results carry.

    Raises:
        ConfigError: there is none, or this xpflow has another version of it.
    """
    plain, at, version = name.partition("@")
    protocol = PROTOCOLS[plain]
    if at and version != str(protocol.version):
        raise ConfigError(
            f"no such protocol: {name!r}; this xpflow has {protocol.label}",
            hint="decode and grade with one version of xpflow",
        )
    return protocol
