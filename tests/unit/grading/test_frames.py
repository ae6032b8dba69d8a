"""Frames on a stream of bytes: any pieces, and limits before a body is read."""

from __future__ import annotations

import pytest

from xpflow.grading.frames import HEADER, KEEPER, VERSION, Frames, WireError, frame, parse

MIB_8 = 8 * 1024 * 1024


def test_a_frame_is_length_version_channel_and_json() -> None:
    assert frame(KEEPER, [1]) == b"\x03\x00\x00\x00\x01\x01[1]"


def test_a_message_of_8_mib_is_written_and_no_larger_one() -> None:
    assert len(frame(0, "x" * (MIB_8 - 2))) == HEADER.size + MIB_8
    with pytest.raises(WireError, match="limit is 8388608"):
        frame(0, "x" * (MIB_8 - 1))
    with pytest.raises(WireError, match="cannot be written"):
        frame(0, object())


def test_limits_hold_where_frames_are_read() -> None:
    largest = Frames()
    largest.feed(HEADER.pack(MIB_8, VERSION, 0))
    assert largest.take() is None  # its body may come yet
    stream = Frames()
    stream.feed(HEADER.pack(MIB_8 + 1, VERSION, 0))
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
