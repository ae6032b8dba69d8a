# WHAT: sends frames in the grader's own format, as if they came from its keeper
# CLASS: verdict
# EXPECT: error wrong
import contextlib
import json
import os
import struct


def add(a, b):
    for message in ({"verdict": "passed", "reason": ""}, {"ended": 0, "verdict": "passed"}, ["passed", ""]):
        data = json.dumps(message).encode()
        for channel in (1, 0, 255):
            for descriptor in range(64):
                with contextlib.suppress(OSError):
                    os.write(descriptor, struct.pack("<IBB", len(data), 1, channel) + data)
