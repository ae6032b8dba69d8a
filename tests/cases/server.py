"""Runs command lines of the xpflow on its path, each in a process of its own, after torch is loaded once.

A request is a line of JSON, {words, folder, environment, umask, out, err}. The answers are two lines: the id
of the process and, when that has ended, its exit code. Nothing here knows xpflow but by `xpflow.cli.main`, so
that the same cases can be run against other source.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import traceback
from importlib import import_module
from typing import Any

HEAVY = (
    "torch",
    "transformers",
    "pandas",
    "scipy.stats",
    "statsmodels.stats.multitest",
    "matplotlib",
    "typer",
)


def main() -> None:
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for name in HEAVY:
        import_module(name)
    from transformers import AutoModelForMaskedLM, AutoTokenizer, PreTrainedModel  # noqa: F401 (both are lazy)

    from xpflow.cli import COMMANDS

    for module, _ in COMMANDS.values():
        import_module(module)
    for line in requests:
        request = json.loads(line)
        if (child := os.fork()) == 0:
            run(request)
        print(child, file=answers, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)
    os._exit(0)  # nothing to tidy up, and what torch would tidy takes seconds


def run(request: dict[str, Any]) -> None:
    """Be the command, as `python -m xpflow` would be it, to the end."""
    os.setsid()
    for number, (name, flags) in enumerate(
        [(os.devnull, os.O_RDONLY), *((request[key], os.O_WRONLY | os.O_CREAT) for key in ("out", "err"))]
    ):
        os.dup2(os.open(name, flags, 0o644), number)
    os.chdir(request["folder"])
    os.umask(request["umask"])
    os.environ.update(request["environment"])
    sys.argv = ["xpflow", *request["words"]]
    code: Any = 1
    try:
        from xpflow.cli import main as command

        code = command(request["words"])
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else code is not None)


if __name__ == "__main__":
    main()
