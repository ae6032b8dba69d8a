"""A worker process that speaks the grader's protocol and breaks when a program says how. Runs no program.

A program is one word: `die` ends the worker, `garbage` makes it speak nonsense, anything else is the verdict.
"""

import json
import os
import struct
import sys


def send(message: dict) -> None:
    data = json.dumps(message).encode()
    os.write(1, struct.pack("<I", len(data)) + data)


def main() -> None:
    send({"ready": "fake"})
    while header := sys.stdin.buffer.read(4):
        word = json.loads(sys.stdin.buffer.read(struct.unpack("<I", header)[0]))["program"]
        if word == "die":
            sys.exit("the fake worker was told to die")
        if word == "garbage":
            os.write(1, struct.pack("<I", 5) + b"xxxxx")
        else:
            send({"verdict": word, "reason": "", "time_s": 0.0, "memory_mib": 0.0})


if __name__ == "__main__":
    main()
