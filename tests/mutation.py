"""Mutation testing of the code that compares and judges: `python tests/mutation.py [--only FILE] [--jobs N]`.

Changes one operator, constant, condition or statement at a time in a copy of the package, runs the unit tests
about that file, and lists the mutants that no test notices (survivors). Slow: a few seconds a mutant.
`--only` takes an earlier list and tries those mutants alone, wherever their lines have moved in the file.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from xpflow.bench.mutants import _change, _changeable

ROOT = Path(__file__).parents[1]
GRADING, UNIT = "src/xpflow/grading", "tests/unit/grading"
# Each file with the tests that are about it.
TESTS = {
    "frames": ("frames.py", "relay.py", "remote.py", "oracle.py"),
    "packing": ("packing.py", "unpacking.py"),
    "unpacking": ("unpacking.py", "packing.py"),
    "testcode": ("testcode.py", "oracle.py", "trusted_code.py"),
    "outcome": ("outcome.py", "oracle.py", "trusted_code.py", "fault.py"),
    "remote": ("remote.py", "changes.py", "oracle.py"),
    "oracle": ("oracle.py", "trusted_code.py", "fault.py"),
    "journal": ("journal.py",),
    "doubt": ("doubt.py", "fault.py", "grade.py", "trusted_code.py"),
    "extraction/markdown": tuple(
        f"extract{one}.py" for one in ("", "_fences", "_markdown", "_more_markdown", "_odd_marks")
    ),
    "verdict": ("verdict.py",),
}
SLOWER = 10  # times as long as its tests take without it, a mutant may take
LEAST_S = 20.0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sample", type=int, default=0, help="only so many mutants, drawn with seed 0")
    options.add_argument("--only", type=Path, help="only the mutants in this file, an earlier run's output")
    options.add_argument("--jobs", type=int, default=2)
    chosen = options.parse_args()
    found = [(name, *mutant) for name in TESTS for mutant in mutants(ROOT / GRADING / f"{name}.py")]
    if chosen.only:
        earlier = {without_line(text) for text in chosen.only.read_text().splitlines()}
        found = [mutant for mutant in found if without_line("{}.py:{}: {}".format(*mutant)) in earlier]
    if chosen.sample:
        found = random.Random(0).sample(found, min(chosen.sample, len(found)))
    limits_s = {name: allowed_seconds(name) for name in {mutant[0] for mutant in found}}
    survivors = 0
    with ThreadPoolExecutor(chosen.jobs) as pool:
        verdicts = pool.map(lambda mutant: is_noticed(mutant[0], mutant[3], limits_s[mutant[0]]), found)
        for done, ((name, line, text, _), noticed) in enumerate(zip(found, verdicts, strict=True), 1):
            survivors += not noticed
            if not noticed:
                print(f"{name}.py:{line}: {text}", flush=True)
            if done % 20 == 0:
                print(f"{done} of {len(found)}, {survivors} survive", file=sys.stderr, flush=True)
    print(f"{len(found)} mutants, {len(found) - survivors} noticed, {survivors} survive")


def mutants(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield (line, what the line became, the whole file) of every mutant; docstrings are left alone."""
    tree = ast.parse(path.read_text())
    places = [
        number
        for number, node in enumerate(ast.walk(tree))
        if _changeable(node) and not is_docstring_like(node) and not isinstance(node, ast.FunctionDef)
    ]
    for place in places:
        changed = copy.deepcopy(tree)
        node = list(ast.walk(changed))[place]
        before = ast.unparse(node).splitlines()[0]
        _change(node, random.Random(place))
        after = ast.unparse(node).splitlines()[0]
        if after != before and (before, after) != ("return None", "return"):  # the same
            yield node.lineno, f"{before}  ->  {after}", ast.unparse(ast.fix_missing_locations(changed))


def without_line(survivor: str) -> str:
    """Return a survivor as it is printed, without its line number, which an edit elsewhere changes."""
    return re.sub(r":\d+: ", ": ", survivor, count=1)


def is_docstring_like(node: ast.AST) -> bool:
    """Return whether a node is a text with a space in it: a message or a docstring."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value


def allowed_seconds(name: str) -> float:
    """Return how long a mutant of a file may take, from what the tests take on the file as it is."""
    start = time.monotonic()
    if is_noticed(name, (ROOT / GRADING / f"{name}.py").read_text(), limit_s=600.0):
        sys.exit(f"the tests of {name}.py fail without any change")
    return max(LEAST_S, SLOWER * (time.monotonic() - start))


def is_noticed(name: str, code: str, limit_s: float) -> bool:
    """Return whether a file's tests fail (or do not end) with `code` in its place."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "src", Path(folder) / "src", ignore=shutil.ignore_patterns("shipped"))
        (Path(folder) / GRADING / f"{name}.py").write_text(code)
        environment = {**os.environ, "PYTHONPATH": f"{folder}/src", "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header"]
        command += ["-o", f"pythonpath={folder}/src tests", *(f"{UNIT}/test_{file}" for file in TESTS[name])]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        tests = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True, **quiet)
        try:
            return tests.wait(limit_s) != 0
        except subprocess.TimeoutExpired:
            return True
        finally:
            with suppress(ProcessLookupError):
                os.killpg(tests.pid, signal.SIGKILL)  # an oracle may go on for ever
            tests.wait()


if __name__ == "__main__":
    main()
