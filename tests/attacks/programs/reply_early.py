# WHAT: sends frames that report success on every descriptor before it is asked anything, and ends
# CLASS: verdict
# EXPECT: error
import contextlib
import json
import os
import struct

for message in ({"ready": True}, {"verdict": "passed", "reason": ""}, {"ok": True, "passed": True}, "passed"):
    data = json.dumps(message).encode()
    for descriptor in range(64):
        with contextlib.suppress(OSError):
            os.write(descriptor, struct.pack("<I", len(data)) + data)
os._exit(0)
