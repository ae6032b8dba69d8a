"""What the oracle takes from the tests' text: names, helpers, modes, and asserts that remember both sides."""

from __future__ import annotations

from typing import Any

import pytest

from xpflow.grading import testcode
from xpflow.grading.grade import mode_of
from xpflow.grading.testcode import Watcher, compile_tests
from xpflow.problems import Problem


def problem(*tests: str, check: str = "", **other: Any) -> dict[str, Any]:
    return {"prompt": "", "setup": "", "imports": {}, "defines": [], "tests": tests, "check": check, **other}


def run(tests: testcode.Tests, **names: Any) -> Watcher:
    """Run tests with the given names and return their watcher; an assertion that fails is kept there."""
    watcher = Watcher(tests.asserts)
    space = {**watcher.hooks(), **names}
    for code in tests.codes:
        try:
            exec(code, space)
        except AssertionError:
            break
    return watcher


def test_names_of_the_program_are_what_the_tests_use_and_nothing_defines() -> None:
    tests = compile_tests(problem("x = f(2)\nassert [g(y) for y in x] == sorted(h)", setup="k = m(1)"))
    assert tests.names == ["f", "g", "h", "m"]


def test_what_a_test_imports_is_not_the_programs() -> None:
    text = "import os.path\nimport math as m\nfrom re import sub as s, match\nassert f(os, m, s, match, math)"
    assert compile_tests(problem(text)).names == ["f", "math"]


def test_the_functions_that_a_solution_defines_are_those_at_its_top_level() -> None:
    assert testcode.defined_functions("def sum(x): ...\nclass A:\n    def abs(self): ...\n") == ["sum"]


def test_an_exception_is_found_on_the_line_of_the_test_that_raised_it() -> None:
    tests = compile_tests(problem("assert True\nx = 1", "x = 2\n\n    \ny = x / 0\nz = 3"))
    with pytest.raises(ZeroDivisionError) as caught:
        exec(tests.codes[1])
    assert tests.line_of(caught.value) == "y = x / 0"
    assert tests.line_of(ValueError()) == ""


def test_annotations_are_evaluated_as_in_code_of_its_own() -> None:
    text = "def f(x: int): ..."
    tests = compile_tests(problem("def check(c): pass", check="g", prompt=text, setup=text))
    for code in (tests.helpers, tests.setup):
        space: dict[str, Any] = {}
        assert code is not None
        exec(code, space)
        assert space["f"].__annotations__ == {"x": int}


def test_a_builtin_is_the_programs_only_where_the_solution_defines_it() -> None:
    assert compile_tests(problem("assert sum(1, 2) == abs(3)")).names == []
    assert compile_tests(problem("assert sum(1, 2) == abs(3)", defines=["sum"])).names == ["sum"]


@pytest.mark.parametrize(
    ("text", "found", "expected"),
    [
        ("assert f(1) == 3", 2, 3),
        ("assert 3 == f(1)", 2, 3),
        ("assert abs(f(1) - 3) < 0.5", 1, 0.5),
        ("assert 3 in f([1])", [1, 1], 3),
        ("assert f(3) not in [6]", 6, [6]),
        ("assert f(1) == f(2)", 2, 4),
        ("x = f(1)\nassert x == 3", 2, 3),
        ("assert f(1) is None", 2, None),
        ("assert not f(1)", False, True),
        ("assert f(1) == 2 and f(2) == 5", False, True),
        ("assert 1 < f(1) < 2, 'message'", False, True),
    ],
)
def test_a_failing_assert_remembers_both_sides(text: str, found: Any, expected: Any) -> None:
    about = run(compile_tests(problem(text)), f=lambda x: x * 2).failing
    assert about is not None
    assert (about.text, about.found, about.expected) == (text.splitlines()[-1], found, expected)


def test_an_assert_that_holds_is_not_remembered() -> None:
    assert (
        run(compile_tests(problem("assert f(1) == 2", "assert f(3) in {6}")), f=lambda x: x * 2).failing
        is None
    )


def test_the_truth_of_a_comparison_is_decided_here() -> None:
    class Always:
        def __eq__(self, other: object) -> Any:
            return [1]

        __hash__ = None  # type: ignore[assignment]

    watcher = Watcher(compile_tests(problem("assert f() == 1")).asserts)
    assert watcher.compare(0, Always(), 1) is True


def test_helpers_come_from_the_prompt_even_when_it_needs_a_body() -> None:
    for ending in ('    """Double."""\n', "", "    ", "    if x:\n        "):
        text = f"import math\ndef helper(x):\n    return x + 1\ndef f(x):\n{ending}"
        tests = compile_tests(problem("def check(c): pass", check="f", prompt=text))
        space: dict[str, Any] = {}
        assert tests.helpers is not None
        exec(tests.helpers, space)
        assert space["helper"](1) == 2
    assert compile_tests(problem("def check(c): pass", check="f", prompt="no Python at all")).helpers is None


def test_modules_are_the_ones_that_the_solution_imports_from_the_standard_library() -> None:
    code = "import sys, numpy\nimport os.path as p\nimport collections.abc\nfrom math import sqrt\n"
    assert testcode.imported_modules(code) == {"sys": "sys", "p": "os.path", "collections": "collections"}


def test_shared_mode_is_a_property_of_the_problem() -> None:
    code = "class Pair:\n    pass\ndef longest(pairs): ...\n"
    parts = ("longest", ("assert longest([Pair()]) == 1",), code, "t", "t", "mbpp")
    assert mode_of(Problem("p", "", *parts)) == "shared"
    plain = ("longest", ("assert longest([1]) == 1",), code, "t", "t", "mbpp")
    assert mode_of(Problem("p", "", *plain)) == "strict"
    unknown = ("longest", ("assert longest([Pair()]) == 1",), "not Python (", "t", "t", "mbpp")
    assert mode_of(Problem("p", "", *unknown)) == "strict"


@pytest.mark.parametrize(
    ("test", "wanted"),
    [
        ("assert f(1) == 2", True),
        ("assert 2 == f(1)", True),
        ("x = 1\nassert f(x) == 2", True),
        ("assert f(1) == f(1)", False),  # one answer of any kind will do
        ("assert g(1) == 2", False),
        ("assert f == 2", False),
        ("assert f(1) != 2", False),
        ("assert f(1) == 2 == x", False),
        ("assert f(1)", False),
        ("f(1) == 2", False),
        ("if x:\n    assert f(1) == 2", False),  # may be passed by
        ("for x in []:\n    return\nassert f(1) == 2", False),
    ],
)
def test_tests_that_want_a_certain_answer_are_known(test: str, wanted: bool) -> None:
    assert testcode.wants_one_answer(test, "f", is_check=False) is wanted
    body = "\n".join(f"    {line}" for line in test.splitlines())
    asked = f"import math\ndef check(f):\n{body}\n"
    assert testcode.wants_one_answer(asked, "name_of_the_problem", is_check=True) is wanted


def test_a_check_that_is_none_wants_nothing() -> None:
    body = "\n    assert f(1) == 2\n"
    for text in (
        f"def check():{body}",
        f"def other(f):{body}",
        f"def check(f):{body}" * 2,
        "assert f(1) == 2",
    ):
        assert testcode.wants_one_answer(text, "f", is_check=True) is False
    assert testcode.wants_one_answer(f"def check(f):{body}", "f", is_check=False) is False
