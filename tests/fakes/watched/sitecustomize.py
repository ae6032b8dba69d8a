"""On PYTHONPATH, makes every Python process note at its end its command and the modules of ours that it loaded.

The notes are JSON files in the folder that XPFLOW_WATCHED names.
"""

import atexit
import json
import os
import sys


def note() -> None:
    """Write one file for this process."""
    loaded = sorted(name for name in sys.modules if name.partition(".")[0] == "xpflow")
    if loaded:
        path = os.path.join(os.environ["XPFLOW_WATCHED"], f"{os.getpid()}.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"argv": sys.argv[1:], "loaded": loaded}, file)


if "XPFLOW_WATCHED" in os.environ:
    atexit.register(note)
