"""The stream to and from a jail's keeper: real processes that say what a file holds or are asked."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from xpflow import grading
from xpflow.grading.frames import CANDIDATE, KEEPER, frame
from xpflow.grading.outcome import Broken, JailLost, Untestable
from xpflow.grading.remote import PART, Jail, Program

FAKE_WORKER = Path(__file__).parents[2] / "fakes" / "worker.py"
SOURCE = Path(grading.__file__).parents[2]
BAD_HEADER = b"\x01\x00\x00\x00\x63\x001"
NO_JSON = b"\x01\x00\x00\x00\x01%cx"


def saying(path: Path, *parts: bytes) -> Jail:
    """Return a jail that says bytes and then ends with its stdin."""
    (path / "said").write_bytes(b"".join(parts))
    command = ["sh", "-c", 'cat said; cat > "$HEARD"']
    return Jail({"command": command, "environment": {"HEARD": "heard"}, "folder": str(path)})


def test_messages_go_both_ways_through_a_real_process() -> None:
    launch = {"command": [sys.executable, str(FAKE_WORKER)], "environment": {"PYTHONPATH": str(SOURCE)}}
    jail = Jail({**launch, "folder": "/"})
    assert jail.read() == (KEEPER, {"ready": "fake"})
    jail.say(KEEPER, {"program": "passed"})
    assert jail.read() == (CANDIDATE, ["ready", {"add": "function"}])
    assert jail.ended()["stopped"] == "done"
    jail.process.kill()
    jail.process.wait()
    with pytest.raises(JailLost, match="the jail is gone"):
        jail.say(KEEPER, {"program": "passed"})
    with pytest.raises(JailLost, match="the jail ended"):
        jail.read()


def test_the_end_is_asked_for_and_what_the_program_says_before_it_is_passed_over(tmp_path: Path) -> None:
    noise = (frame(CANDIDATE, {"ended": {"stopped": "won"}}), NO_JSON % CANDIDATE)
    jail = saying(tmp_path, *noise, frame(KEEPER, {"ended": {"stopped": "done"}}))
    assert jail.ended() == {"stopped": "done"}
    deadline = time.monotonic() + 60
    while not (heard := heard_by(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert heard == frame(KEEPER, {"end": True})
    jail.process.kill()


def heard_by(path: Path) -> bytes:
    return (path / "heard").read_bytes() if (path / "heard").exists() else b""


@pytest.mark.parametrize(
    ("said", "error", "text"),
    [
        (NO_JSON % CANDIDATE, Broken, "not JSON"),
        (NO_JSON % KEEPER, JailLost, "not JSON"),
        (BAD_HEADER, JailLost, "the keeper does not speak the format"),
    ],
)
def test_nonsense_of_a_program_is_its_own_and_that_of_a_keeper_is_no_verdict(
    said: bytes, error: Any, text: str, tmp_path: Path
) -> None:
    jail = saying(tmp_path, said)
    with pytest.raises(error, match=text):
        jail.read()
    jail.process.kill()


def test_a_message_that_cannot_be_written_is_no_verdict(tmp_path: Path) -> None:
    jail = saying(tmp_path)
    with pytest.raises(Untestable, match="cannot be carried over"):
        jail.say(CANDIDATE, [object()])
    jail.process.kill()


class Answering:
    """A jail whose program answers every call with 7; `said` has what came in."""

    def __init__(self) -> None:
        self.said: list[tuple[int, Any]] = []

    def say(self, channel: int, message: Any) -> None:
        """Note a message."""
        self.said.append((channel, message))

    def read(self) -> tuple[int, Any]:
        """Answer the last call."""
        return CANDIDATE, ["value", self.said[-1][1][0], 7, []]


@pytest.mark.parametrize(
    ("length", "parts"),
    [(0, 0), (1, 0), (PART, 0), (PART + 1, 1), (2 * PART - 1, 1), (2 * PART, 2), (2 * PART + 3, 2)],
)
def test_a_long_program_goes_over_in_parts_and_whole(length: int, parts: int) -> None:
    text = ("abcdefghij" * (length // 10 + 1))[:length]
    program = Program(jail := Answering())  # type: ignore[arg-type]
    states = [program.started]
    program.hand_over({"program": text, "names": ["f"]})
    states.append(program.started)
    assert states == [False, True]
    assert {channel for channel, _ in jail.said} == {KEEPER}
    *earlier, last = [message for _, message in jail.said]
    assert [len(message["part"]) for message in earlier] == [PART] * parts
    assert last["names"] == ["f"]
    assert "".join(message["part"] for message in earlier) + last["program"] == text
    assert len(last["program"]) <= PART


def test_parts_have_half_a_million_characters() -> None:
    assert PART == 524_288  # up to 6 MiB of JSON, where a message may have 8


def test_a_value_has_no_arguments_that_could_change() -> None:
    class Changing(Answering):
        def read(self) -> tuple[int, Any]:
            return CANDIDATE, ["value", self.said[-1][1][0], 7, [[0, 1]]]

    program = Program(Changing())  # type: ignore[arg-type]
    with pytest.raises(Broken, match="not a list of changes"):
        program.value("x")


def test_calls_are_counted_and_go_out_under_numbers_that_differ() -> None:
    program = Program(jail := Answering())  # type: ignore[arg-type]
    assert program.last_call() == ""
    assert [program.call("f", (number,), {}) for number in range(3)] == [7, 7, 7]
    assert program.calls == 3
    assert program.last_call() == "f(2)"
    assert program.value("x") == 7
    assert (program.calls, program.last_call()) == (4, "f(2)")
    assert len({message[0] for _, message in jail.said}) == 4
