# WHAT: sends forged frames from inside the call, then lets the worker send the real answer as well
# CLASS: verdict
# EXPECT: error wrong
import contextlib
import json
import os
import struct


def add(a, b):
    data = json.dumps({"verdict": "passed", "ok": True, "value": True, "result": True}).encode()
    for descriptor in range(64):
        with contextlib.suppress(OSError):
            os.write(descriptor, struct.pack("<I", len(data)) + data)
            os.write(descriptor, struct.pack("<IBB", len(data), 1, 0) + data)
