"""Seconds and memory of an audit over many artifacts: `python benchmarks/audit_cost.py [--count 10000]`.

Makes a chain of artifacts of 100 kB with their manifests in a temporary folder, audits it in a process of its
own, and prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from xpflow.artifacts.record import Record

AUDIT = """
import json, resource, sys, time
from pathlib import Path
from xpflow.artifacts.audit import Scene, audit
start, count, bad = time.perf_counter(), 0, 0
for one in audit([Path("results/s")], Scene(Path())):
    count, bad = count + 1, bad + (one.status != "good")
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"files": count, "bad": bad, "seconds": round(time.perf_counter() - start, 2),
                  "cpu_s": round(used.ru_utime + used.ru_stime, 2), "memory_mib": used.ru_maxrss // 1024}))
"""


def main() -> None:
    """Make the artifacts, audit them, print what it took."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=10_000, help="artifacts")
    options.add_argument("--size", type=int, default=100_000, help="bytes of each")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        start = time.perf_counter()
        previous: Path | None = None
        for number in range(chosen.count):
            file = Path(f"results/s/{number % 100}/{number}/samples.jsonl")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(os.urandom(chosen.size))
            record = Record("merge", {"evaluation": str(number)})
            if previous is not None:
                record.read(previous)
            record.write([file])
            previous = file
        made = round(time.perf_counter() - start, 2)
        done = subprocess.run([sys.executable, "-c", AUDIT], check=True, capture_output=True, text=True)
    print(
        json.dumps(
            {"artifacts": chosen.count, "bytes": chosen.size, "made_s": made, **json.loads(done.stdout)}
        )
    )


if __name__ == "__main__":
    main()
