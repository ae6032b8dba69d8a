"""Messages between the trusted and the jailed side of the grader, as frames on a stream of bytes.

A frame is 4 bytes little-endian length, 1 byte of version, 1 byte of channel, JSON. Its size is limited where
it is written and where its header is read. Standard library only.
"""

from __future__ import annotations

import json
import struct
from typing import Any

VERSION = 1
CANDIDATE, KEEPER = 0, 1  # channels: what the candidate's process says, what its keeper says of it
HEADER = struct.Struct("<IBB")
FRAME_LIMIT = 8 << 20  # bytes of one message
_encode = json.JSONEncoder(check_circular=False).encode


class WireError(Exception):
    """Bytes or a value that the format does not allow; the text says which rule was broken."""


def frame(channel: int, message: Any) -> bytes:
    """Return the bytes of a message; raises WireError when they are too many or not JSON."""
    try:
        data = _encode(message).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise WireError(f"cannot be written: {error}") from None
    if len(data) > FRAME_LIMIT:
        raise WireError(f"a message of {len(data)} bytes; the limit is {FRAME_LIMIT}")
    return HEADER.pack(len(data), VERSION, channel) + data


def parse(data: bytes) -> Any:
    """Return the message of a frame's body; raises WireError."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise WireError(f"not JSON: {error}") from None


class Frames:
    """Cuts a stream of bytes into frames: `feed` it, then take (channel, body) until there is none."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, part: bytes) -> None:
        """Add bytes that arrived."""
        self._data += part

    def take(self) -> tuple[int, bytes] | None:
        """Return the next whole frame; raises WireError on a bad header, before its body is read."""
        if len(self._data) < HEADER.size:
            return None
        size, version, channel = HEADER.unpack_from(self._data)
        if version != VERSION:
            raise WireError(f"version {version} of the format, not {VERSION}")
        if size > FRAME_LIMIT:
            raise WireError(f"a message of {size} bytes; the limit is {FRAME_LIMIT}")
        end = HEADER.size + size
        if len(self._data) < end:
            return None
        body = bytes(self._data[HEADER.size : end])
        del self._data[:end]
        return channel, body
