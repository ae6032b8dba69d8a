"""A jailed worker that speaks the grader's format and breaks when a program says how. Runs no program.

A program is one word: `die` ends the worker, `garbage` makes it speak nonsense, `unconfined` says that no
limits can be set; `passed`, `wrong`, `error` and `memory` answer calls of `add` so that this is the verdict.
"""

import sys

from xpflow.grading.frames import CANDIDATE, KEEPER, Link, parse
from xpflow.grading.unpacking import unpack

LINK = Link(0, 1)
ENDED = {"stopped": "done", "status": 0, "cpu_s": 0.0, "time_s": 0.0, "memory_mib": 0.0, "spent": False}


def main() -> None:
    LINK.say(KEEPER, {"ready": "fake"})
    word = ""
    while (found := LINK.read()) is not None:
        channel, message = found[0], parse(found[1])
        if channel == CANDIDATE:
            answer(word, *message)
        elif "program" in message:
            word = begin(message["program"])
        else:
            LINK.say(KEEPER, {"ended": ENDED})


def begin(word: str) -> str:
    if word == "die":
        sys.exit("the fake worker was told to die")
    if word == "garbage":
        LINK.pass_on(b"xxxxxxxx")
    elif word == "unconfined":
        LINK.say(CANDIDATE, ["unconfined", "told so"])
    else:
        LINK.say(CANDIDATE, ["ready", {"add": "function"}])
    return word


def answer(word: str, number: int, name: str, packed: list) -> None:
    if word in ("error", "memory"):
        kind = {"error": "ValueError", "memory": "MemoryError"}[word]
        LINK.say(CANDIDATE, ["raised", number, kind, kind, "told so"])
    else:
        value = sum(unpack(packed[0])) + (word == "wrong")
        LINK.say(CANDIDATE, ["value", number, value, []])


if __name__ == "__main__":
    main()
