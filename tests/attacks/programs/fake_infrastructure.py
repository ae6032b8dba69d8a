# WHAT: claims that the grader failed, so that the failure is not counted as its own
# CLASS: verdict
# EXPECT: error
import contextlib
import errno
import json
import os
import struct

CLAIM = json.dumps({"verdict": "infrastructure", "reason": "cannot fork", "killed": True}).encode()


def add(a, b):
    for descriptor in range(64):
        with contextlib.suppress(OSError):
            os.write(descriptor, struct.pack("<I", len(CLAIM)) + CLAIM + b"\n")
    raise OSError(errno.ENOMEM, "cannot fork: infrastructure")
