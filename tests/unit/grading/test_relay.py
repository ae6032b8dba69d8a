"""What the keeper passes on between a program and the oracle, and under whose name."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from xpflow.grading.frames import CANDIDATE, HEADER, KEEPER, Link, carry, frame, give, relay_rest

MIB = 1 << 20
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def sockets() -> Iterator[Pair]:
    """The keeper's end and the program's; both wait no longer than a second."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(1.0)
        theirs.settimeout(1.0)
        yield ours, theirs


@pytest.fixture
def oracle() -> Iterator[tuple[Link, int, int]]:
    """The keeper's link to the oracle, and what the oracle reads from and writes to."""
    read_here, sink = os.pipe()
    source, write_here = os.pipe()
    os.set_blocking(read_here, False)  # what never came fails a test, and does not hang it
    yield Link(source, sink), read_here, write_here
    for descriptor in (read_here, sink, source, write_here):
        os.close(descriptor)


def read_all(link: Link) -> Link:
    """Return the link after one read of what is there."""
    link.fill()
    return link


def test_a_program_speaks_on_its_own_channel_whatever_it_claims(sockets: Pair, oracle: Any) -> None:
    ours, theirs = sockets
    link, read_here, _ = oracle
    theirs.sendall(frame(CANDIDATE, "mine") + frame(KEEPER, {"ended": "done"}) + frame(KEEPER, "cut")[:-1])
    assert carry(read_all(Link(ours.fileno(), ours.fileno())), link) == len(
        expected := frame(CANDIDATE, "mine") + frame(CANDIDATE, {"ended": "done"})
    )
    assert os.read(read_here, MIB) == expected  # whole frames alone


def test_the_oracles_frames_reach_the_program_as_its_own(sockets: Pair, oracle: Any) -> None:
    ours, theirs = sockets
    link, _, write_here = oracle
    os.write(write_here, frame(CANDIDATE, "first") + frame(CANDIDATE, "second"))
    assert give(link, ours) == ""
    assert theirs.recv(MIB) == frame(CANDIDATE, "first") + frame(CANDIDATE, "second")


def test_the_keepers_own_frame_ends_the_program_and_is_not_passed_on(sockets: Pair, oracle: Any) -> None:
    ours, theirs = sockets
    link, _, write_here = oracle
    os.write(write_here, frame(CANDIDATE, "before") + frame(KEEPER, "done") + frame(CANDIDATE, "after"))
    assert give(link, ours) == "done"
    assert theirs.recv(MIB) == frame(CANDIDATE, "before")


def test_an_oracle_that_is_gone_is_seen_and_a_program_that_is_gone_passed_over(
    sockets: Pair, oracle: Any
) -> None:
    ours, theirs = sockets
    link, _, write_here = oracle
    theirs.close()
    os.write(write_here, frame(CANDIDATE, "to nobody"))
    assert give(link, ours) == ""
    ended, never = os.pipe()
    os.close(never)
    assert give(Link(ended, link.sink), ours) == "gone"
    os.close(ended)


class Said:
    """What a program had said before its end, as a file in place of a socket."""

    def __init__(self, file: IO[bytes]) -> None:
        self.fileno, self.blocking = file.fileno, True

    def setblocking(self, flag: bool) -> None:
        """Note whether reading may wait."""
        self.blocking = flag


@pytest.mark.parametrize(("allowed_mib", "passed"), [(0, 1), (1, 17), (2, 33), (8, 40)])
def test_the_rest_is_passed_on_up_to_the_limit(tmp_path: Path, allowed_mib: int, passed: int) -> None:
    # A read takes 64 KiB, and so does a frame here: the limit is passed by one frame at most.
    body = b"x" * ((1 << 16) - HEADER.size)
    (tmp_path / "said").write_bytes((HEADER.pack(len(body), 1, KEEPER) + body) * 40)
    with open(tmp_path / "said", "rb") as said, open(tmp_path / "heard", "wb", buffering=0) as heard:
        program = Said(said)
        relay_rest(program, {"output_mib": allowed_mib}, Link(said.fileno(), heard.fileno()))  # type: ignore[arg-type]
    assert not program.blocking
    found = (tmp_path / "heard").read_bytes()
    assert found == (HEADER.pack(len(body), 1, CANDIDATE) + body) * passed


def test_the_rest_of_a_program_whose_children_hold_its_socket_is_not_waited_for(
    sockets: Pair, oracle: Any
) -> None:
    ours, theirs = sockets
    link, read_here, _ = oracle
    theirs.sendall(frame(CANDIDATE, "last words") + b"\xff" * HEADER.size)
    relay_rest(ours, {"output_mib": 1}, link)  # `theirs` is open still
    assert os.read(read_here, MIB) == frame(CANDIDATE, "last words")
