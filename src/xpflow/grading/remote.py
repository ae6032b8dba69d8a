"""The program as the trusted side reaches it: the jail's process, the program, its functions' stand-ins.

Each call has a number that cannot be guessed, and an answer to no question is an error. What comes back is
plain data, or raises one of `outcome.py`; what a call changed in its arguments is carried over to the
tests' own objects. Standard library only.
"""

from __future__ import annotations

import array
import collections
import os
import secrets
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING or __package__:
    from xpflow.grading.frames import CANDIDATE, KEEPER, Frames, WireError, frame, parse
    from xpflow.grading.outcome import (
        Broken,
        Ended,
        JailLost,
        Outcome,
        Stop,
        Unanswered,
        Uncarried,
        Untestable,
        shown_call,
    )
    from xpflow.grading.packing import pack
    from xpflow.grading.unpacking import rebuild_error, unpack
else:
    from frames import CANDIDATE, KEEPER, Frames, WireError, frame, parse
    from outcome import Broken, Ended, JailLost, Outcome, Stop, Unanswered, Uncarried, Untestable, shown_call
    from packing import pack
    from unpacking import rebuild_error, unpack


PART = 1 << 19  # characters of a program in one message: each takes up to 12 bytes of JSON


class Jail:
    """The jail's process and the frames to and from its keeper."""

    def __init__(self, launch: dict[str, Any]) -> None:
        self.process = subprocess.Popen(
            launch["command"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=launch["environment"],
            cwd=launch["folder"],
            bufsize=0,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.sink, self.source = self.process.stdin.fileno(), self.process.stdout.fileno()
        self.frames = Frames()

    def say(self, channel: int, message: Any) -> None:
        """Write a message."""
        try:
            data = frame(channel, message)
        except WireError as error:
            raise Untestable(f"the grader's message cannot be carried over: {error}") from None
        try:
            while data:
                data = data[os.write(self.sink, data) :]
        except OSError as error:
            raise JailLost(f"the jail is gone: {error}") from None

    def read(self) -> tuple[int, Any]:
        """Wait for the next message; raises JailLost at the end of the stream, Broken for nonsense."""
        try:
            while (found := self.frames.take()) is None:
                part = os.read(self.source, 1 << 16)
                if not part:
                    raise JailLost("the jail ended")
                self.frames.feed(part)
        except WireError as error:  # headers are the keeper's own
            raise JailLost(f"the keeper does not speak the format: {error}") from None
        channel, body = found
        try:
            return channel, parse(body)
        except WireError as error:
            if channel == KEEPER:
                raise JailLost(str(error)) from None
            raise Broken(str(error)) from None

    def ended(self) -> Outcome:
        """Have the program ended if it is not yet, and return how it did."""
        self.say(KEEPER, {"end": True})
        while True:
            with suppress(Broken):
                channel, message = self.read()
                if channel == KEEPER:
                    return dict(message["ended"])


class Program:
    """One program in the jail, asked by call."""

    def __init__(self, jail: Jail) -> None:
        self.jail, self.calls, self.started = jail, 0, False
        self.last: tuple[str, list[Any]] | None = None
        self.over: Stop | None = None

    def start(self, request: dict[str, Any], names: list[str]) -> dict[str, str]:
        """Run the program; return what each name is in it."""
        self.hand_over({"program": request["program"], "names": names, "limits": request["limits"]})
        message = self.hear()
        if message[0] == "unconfined":
            raise JailLost(f"cannot set the limits: {message[1]}")
        if message[0] == "raised":
            self.fail(message[2:])
        kinds = message[1] if message[0] == "ready" and len(message) == 2 else None
        if type(kinds) is not dict or not all(type(kind) is str for kind in kinds.values()):
            raise Broken("no list of names")
        return kinds

    def hand_over(self, body: dict[str, Any]) -> None:
        """Give the keeper a program and what belongs to it, a long program in parts."""
        text = body["program"]
        last = len(text) - len(text) % PART if len(text) > PART else 0
        for start in range(0, last, PART):
            self.jail.say(KEEPER, {"part": text[start : start + PART]})
        self.jail.say(KEEPER, {**body, "program": text[last:]})
        self.started = True

    def hear(self) -> list[Any]:
        """Return the program's next message; raises Ended when it is over."""
        channel, message = self.jail.read()
        if channel == KEEPER:
            raise Ended(dict(message["ended"]))
        if type(message) is not list or not message:
            raise Broken("not a message")
        return message

    def call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a function of the program, and carry over what it changed in its arguments."""
        try:
            packed = [pack(args, strict=True), pack(kwargs, strict=True)]
        except WireError as error:
            self.over = Untestable(
                f"{shown_call(name, args, kwargs)}: an argument cannot be carried over: {error}"
            )
            raise self.over from None
        self.last = (name, packed)
        try:
            value, changed = self.ask(name, packed, len(args))
            for place, new in changed:
                replace(args[place], new)
        except Stop as over:
            self.over = over
            raise
        return value

    def last_call(self) -> str:
        """Return the last call as it would be typed, with its arguments as they were sent."""
        if self.last is None:
            return ""
        name, (args, kwargs) = self.last
        return shown_call(name, unpack(args), unpack(kwargs))

    def value(self, name: str) -> Any:
        """Return a value that the program holds under a name."""
        return self.ask(name, None, 0)[0]

    def ask(self, name: str, packed: Any, count: int) -> tuple[Any, list[tuple[int, Any]]]:
        """Send a call under a number that cannot be guessed, and return its answer."""
        number = secrets.randbits(62)
        self.calls += 1
        self.jail.say(CANDIDATE, [number, name, packed])
        message = self.hear()
        if len(message) < 3 or type(message[1]) is not int or message[1] != number:
            raise Broken("an answer to no question")
        if message[0] == "value" and len(message) == 4:
            try:
                return unpack(message[2]), changes(message[3], count)
            except WireError as error:
                raise Broken(str(error)) from None
        if message[0] == "unwritable":
            raise Uncarried(f"its answer cannot be carried over: {message[2]!s:.80}")
        self.fail(message[2:])

    def fail(self, told: list[Any]) -> NoReturn:
        """Raise what the program raised, as the nearest builtin exception, marked as the program's own."""
        if len(told) != 3 or not all(type(part) is str for part in told):
            raise Broken("not a message")
        name, own, text = told
        if not name:
            raise Unanswered(f"{own}{': ' if text else ''}{text}")
        try:
            error = rebuild_error(name, text)
        except WireError as wrong:
            raise Broken(str(wrong)) from None
        error.__notes__ = [f"{own}{': ' if text else ''}{text}"]
        raise error


class Remote:
    """A function of the program, as the tests see it."""

    def __init__(self, program: Program, name: str) -> None:
        self._program, self.__name__ = program, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._program.call(self.__name__, args, kwargs)


def changes(sent: Any, count: int) -> list[tuple[int, Any]]:
    """Return (place, new content) of the arguments that a call changed; raises WireError on nonsense."""
    found = []
    for pair in sent if type(sent) is list else [None]:
        if type(pair) is not list or len(pair) != 2 or type(pair[0]) is not int or not 0 <= pair[0] < count:
            raise WireError("not a list of changes")
        found.append((pair[0], unpack(pair[1])))
    return found


def replace(old: Any, new: Any) -> None:
    """Give an argument the content that the program left in its copy; what cannot change stays."""
    if type(old) is not type(new):
        raise Broken("an argument of another type")
    if isinstance(old, dict):
        new = {key: renewed(old.get(key), now) for key, now in new.items()}
    elif isinstance(old, list) and len(old) == len(new):
        new = list(map(renewed, old, new))
    if isinstance(old, (list, bytearray, array.array)):
        old[:] = new
    elif isinstance(old, (dict, set)):
        old.clear()
        old.update(new)
    elif isinstance(old, collections.deque):
        old.clear()
        old.extend(new)


def renewed(old: Any, new: Any) -> Any:
    """Return the object that stands for `new`: `old` itself with new content where that can be."""
    if isinstance(old, (list, dict, set)) and type(old) is type(new):
        replace(old, new)
        return old
    return new
