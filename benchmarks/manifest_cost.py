"""What manifests cost a study: `python benchmarks/manifest_cost.py [--config config/micro.yaml]`.

Runs the whole study in a temporary folder, with a timer around everything that a stage does for its manifest
(fingerprints, hashes of what is read and written, facts, the file itself), and prints one JSON object: the
seconds so spent beside the seconds of all jobs, as Snakemake measured them. Modules that a stage needs anyway
(torch) are imported before the timer starts.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from xpflow.study.config import load_study

ROOT = Path(__file__).resolve().parents[1]
# Loaded by every Python that finds it on its path; it changes only `xpflow` commands.
TIMER = """
import atexit, functools, json, os, sys, time

if os.path.basename(sys.argv[0]) == "xpflow":
    from xpflow.artifacts.record import Record
    from xpflow.cli import recording

    spent, depth = [0.0, 0.0], [0]

    def timed(function):
        @functools.wraps(function)
        def call(*values, **names):
            if "model" in names:
                import xpflow.models.registry, xpflow.runtime.answers
            start, depth[0] = (time.perf_counter(), time.process_time()), depth[0] + 1
            try:
                return function(*values, **names)
            finally:
                depth[0] -= 1
                if not depth[0]:
                    spent[0] += time.perf_counter() - start[0]
                    spent[1] += time.process_time() - start[1]
        return call

    for name in ("__init__", "read", "write"):
        setattr(Record, name, timed(getattr(Record, name)))
    for name in ("stage_record", "base_files"):
        setattr(recording, name, timed(getattr(recording, name)))

    def note():
        if len(sys.argv) > 1 and (spent[0] or spent[1]):
            with open(os.environ["MANIFEST_TIMES"], "a") as file:
                file.write(json.dumps([sys.argv[1], *spent]) + "\\n")

    atexit.register(note)
"""


def main() -> None:
    """Run the study and print what its manifests took."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--config", type=Path, default=ROOT / "config" / "micro.yaml", help="study")
    chosen = options.parse_args()
    name = load_study(chosen.config).study.name
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "hook").mkdir()
        (folder / "hook" / "sitecustomize.py").write_text(TIMER)
        run_study(folder, chosen.config.resolve())
        spent = times(folder / "times.jsonl")
        jobs = list((folder / "results" / name / "benchmarks").rglob("*.tsv"))
        wall, cpu = (sum(measured(path, column) for path in jobs) for column in ("s", "cpu_time"))
    manifests, manifests_cpu = (
        sum(one[index] for rows in spent.values() for one in rows) for index in (0, 1)
    )
    print(
        json.dumps(
            {
                "study": name,
                "jobs": len(jobs),
                "jobs_s": round(wall, 1),
                "manifests_s": round(manifests, 2),
                "share_percent": round(100 * manifests / wall, 2),
                "jobs_cpu_s": round(cpu, 1),
                "manifests_cpu_s": round(manifests_cpu, 2),
                "share_of_cpu_percent": round(100 * manifests_cpu / cpu, 2),
                "mean_s": {
                    command: round(sum(one[0] for one in rows) / len(rows), 3)
                    for command, rows in sorted(spent.items())
                },
            }
        )
    )


def run_study(folder: Path, config: Path) -> None:
    """Run a study as `make reproduce` does, with the timer in every command."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{folder / 'hook'}:{os.environ.get('PYTHONPATH', '')}",
        "MANIFEST_TIMES": str(folder / "times.jsonl"),
    }
    command = ["snakemake", "--nolock", "--snakefile", str(ROOT / "Snakefile"), "--configfile", str(config)]
    command += ["--profile", str(ROOT / "workflow" / "profiles" / "laptop")]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the study failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def times(path: Path) -> dict[str, list[tuple[float, float]]]:
    """Return the wall and CPU seconds that each run of a command spent on its manifest, by command."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for line in path.read_text().splitlines():
        command, wall, cpu = json.loads(line)
        found[command].append((wall, cpu))
    return found


def measured(path: Path, column: str) -> float:
    """Return a column of Snakemake's table of a job; a job too short to be measured has a dash."""
    [row] = csv.DictReader(path.open(), delimiter="\t")
    return 0.0 if row[column] in ("-", "NA") else float(row[column])


if __name__ == "__main__":
    main()
