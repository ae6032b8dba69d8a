"""Messages between the trusted and the jailed side of the grader, as frames on a stream of bytes.

A frame is 4 bytes little-endian length, 1 byte of version, 1 byte of channel, JSON. Its size is limited where
it is written and where its header is read. Standard library only.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from contextlib import suppress
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


class Link:
    """Frames from the oracle on descriptor `source`, to it on `sink`."""

    def __init__(self, source: int, sink: int) -> None:
        self.source, self.sink, self.frames = source, sink, Frames()

    def read(self) -> tuple[int, bytes] | None:
        """Wait for the next frame; None at the end of the stream."""
        while (found := self.frames.take()) is None:
            if not self.fill():
                return None
        return found

    def fill(self) -> bool:
        """Read what is there; False at the end of the stream."""
        try:
            part = os.read(self.source, 1 << 16)
        except ConnectionError:
            part = b""
        self.frames.feed(part)
        return bool(part)

    def say(self, channel: int, message: Any) -> None:
        """Write a message."""
        self.pass_on(frame(channel, message))

    def pass_on(self, data: bytes) -> None:
        """Write bytes, all of them."""
        while data:
            data = data[os.write(self.sink, data) :]


def carry(from_child: Link, link: Link) -> int:
    """Pass on the child's whole frames, on its own channel whatever they claim; return their bytes."""
    size = 0
    while (found := from_child.frames.take()) is not None:
        data = HEADER.pack(len(found[1]), VERSION, CANDIDATE) + found[1]
        link.pass_on(data)
        size += len(data)
    return size


def give(link: Link, ours: socket.socket) -> str:
    """Pass on the oracle's frames to the child; "done" when it wants the program ended, "gone" at its end."""
    if not link.fill():
        return "gone"
    while (found := link.frames.take()) is not None:
        if found[0] == KEEPER:
            return "done"
        with suppress(OSError):  # the child is gone; that is seen next
            ours.sendall(HEADER.pack(len(found[1]), VERSION, CANDIDATE) + found[1])
    return ""


def relay_rest(ours: socket.socket, limits: dict[str, Any], link: Link) -> None:
    """Pass on what a child that ended by itself had said before."""
    ours.setblocking(False)
    from_child, sent = Link(ours.fileno(), ours.fileno()), 0
    with suppress(OSError, WireError):
        while sent <= limits["output_mib"] << 20 and from_child.fill():
            sent += carry(from_child, link)
