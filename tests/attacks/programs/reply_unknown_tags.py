# WHAT: sends values with tags and arguments that no honest packer would write
# CLASS: verdict
# EXPECT: error wrong
import contextlib
import json
import os
import struct

VALUES = (
    ["object", "passed"],
    ["opaque", {"__eq__": True}],
    ["type", "exec"],
    ["range", "a", None],
    ["dict", 1],
    ["dict", ["list"], 1],
    ["bytes", "zz"],
    ["list", {"verdict": "passed"}],
    ["constant", "AssertionError"],
    ["timedelta", 10**30],
    ["array", "Z", 1],
    ["text", "00d8"],
    ["pattern", "(", 0],
    [["list"]],
)


def add(a, b):
    for value in VALUES:
        for message in (value, ["value", value], {"value": value, "ok": True}):
            data = json.dumps(message).encode()
            for descriptor in range(64):
                with contextlib.suppress(OSError):
                    os.write(descriptor, struct.pack("<IBB", len(data), 1, 0) + data)
