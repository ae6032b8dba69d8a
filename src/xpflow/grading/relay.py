"""Frames carried between the oracle and a program's process by the keeper, which reads none of the program's.

Standard library only; runs in the jail.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from xpflow.grading import frames
else:
    import frames


class Link:
    """Frames from the oracle on descriptor `source`, to it on `sink`."""

    def __init__(self, source: int, sink: int) -> None:
        self.source, self.sink, self.frames = source, sink, frames.Frames()

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
        self.pass_on(frames.frame(channel, message))

    def pass_on(self, data: bytes) -> None:
        """Write bytes, all of them."""
        while data:
            data = data[os.write(self.sink, data) :]


def carry(from_child: Link, link: Link) -> int:
    """Pass on the child's whole frames, on its own channel whatever they claim; return their bytes."""
    size = 0
    while (found := from_child.frames.take()) is not None:
        data = frames.HEADER.pack(len(found[1]), frames.VERSION, frames.CANDIDATE) + found[1]
        link.pass_on(data)
        size += len(data)
    return size


def give(link: Link, ours: socket.socket) -> str:
    """Pass on the oracle's frames to the child; "done" when it wants the program ended, "gone" at its end."""
    if not link.fill():
        return "gone"
    while (found := link.frames.take()) is not None:
        if found[0] == frames.KEEPER:
            return "done"
        with suppress(OSError):  # the child is gone; that is seen next
            ours.sendall(frames.HEADER.pack(len(found[1]), frames.VERSION, frames.CANDIDATE) + found[1])
    return ""


def relay_rest(ours: socket.socket, limits: dict[str, Any], link: Link) -> None:
    """Pass on what a child that ended by itself had said before."""
    ours.setblocking(False)
    from_child, sent = Link(ours.fileno(), ours.fileno()), 0
    with suppress(OSError, frames.WireError):
        while sent <= limits["output_mib"] << 20 and from_child.fill():
            sent += carry(from_child, link)
