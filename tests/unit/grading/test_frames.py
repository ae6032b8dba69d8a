"""Frames on a stream of bytes: any pieces, and limits before a body is read."""

from __future__ import annotations

import pytest

from xpflow.grading.frames import FRAME_LIMIT, HEADER, VERSION, Frames, WireError, frame, parse


def test_limits_hold_where_frames_are_read() -> None:
    stream = Frames()
    stream.feed(HEADER.pack(FRAME_LIMIT + 1, VERSION, 0))
    with pytest.raises(WireError, match="limit"):
        stream.take()
    other = Frames()
    other.feed(HEADER.pack(1, VERSION + 1, 0) + b"1")
    with pytest.raises(WireError, match="version"):
        other.take()
    with pytest.raises(WireError, match="not JSON"):
        parse(b"[" * 100_000)


def test_a_frame_may_arrive_in_any_pieces() -> None:
    data = frame(0, [1]) + frame(1, "two")
    stream, found = Frames(), []
    for place in range(len(data)):
        stream.feed(data[place : place + 1])
        while (taken := stream.take()) is not None:
            found.append((taken[0], parse(taken[1])))
    assert found == [(0, [1]), (1, "two")]
