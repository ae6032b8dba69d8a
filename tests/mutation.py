"""Mutation testing of the code that compares and judges: `python tests/mutation.py [--only FILE] [--jobs N]`.

Changes one operator, constant, condition or statement at a time in a copy of the package, runs the unit tests
of the trusted side, and lists the mutants that no test notices (survivors). Slow: a few seconds a mutant.
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
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from xpflow.bench.mutants import _change, _changeable

ROOT = Path(__file__).parents[1]
WIRE, TRUSTED = ("frames", "packing", "unpacking"), ("changes", "display", "outcome", "remote", "oracle")
TARGETS = [f"src/xpflow/grading/{name}.py" for name in (*WIRE, "testcode", *TRUSTED, "verdict")]
TESTED = ("testcode", "changes", "display", "oracle", "remote", "frames", "unpacking", "packing")
TESTS = [f"tests/unit/grading/test_{name}.py" for name in TESTED]
TESTS += [
    f"tests/unit/grading/test_grade.py::test_{name}"
    for name in ("verdict_rows_are_read_back_equal", "a_row_holds_a_reason_and_what_there_is_to_say")
]
TIMEOUT_S = 40.0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sample", type=int, default=0, help="only so many mutants, drawn with seed 0")
    options.add_argument("--only", type=Path, help="only the mutants in this file, an earlier run's output")
    options.add_argument("--jobs", type=int, default=2)
    chosen = options.parse_args()
    found = [(target, *mutant) for target in TARGETS for mutant in mutants(ROOT / target)]
    if chosen.only:
        earlier = {without_line(text) for text in chosen.only.read_text().splitlines()}
        found = [mutant for mutant in found if without_line("{}:{}: {}".format(*mutant)) in earlier]
    if chosen.sample:
        found = random.Random(0).sample(found, min(chosen.sample, len(found)))
    survivors = 0
    with ThreadPoolExecutor(chosen.jobs) as pool:
        verdicts = pool.map(lambda mutant: is_noticed(mutant[0], mutant[3]), found)
        for done, ((target, line, text, _), noticed) in enumerate(zip(found, verdicts, strict=True), 1):
            survivors += not noticed
            if not noticed:
                print(f"{target}:{line}: {text}", flush=True)
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


def is_noticed(target: str, code: str) -> bool:
    """Return whether the tests fail (or do not end) with `code` in the place of a file."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(
            ROOT / "src", Path(folder) / "src", ignore=shutil.ignore_patterns("shipped", "__pycache__")
        )
        (Path(folder) / target).write_text(code)
        environment = {**os.environ, "PYTHONPATH": f"{folder}/src", "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *TESTS]
        command += ["-o", f"pythonpath={folder}/src tests", "--no-header"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        tests = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True, **quiet)
        try:
            return tests.wait(TIMEOUT_S) != 0
        except subprocess.TimeoutExpired:
            return True
        finally:
            with suppress(ProcessLookupError):
                os.killpg(tests.pid, signal.SIGKILL)  # an oracle may go on for ever
            tests.wait()


if __name__ == "__main__":
    main()
