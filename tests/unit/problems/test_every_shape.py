"""What holds for every shape of the table: rows come back, answers are read and judged."""

from __future__ import annotations

import json

import pytest

from xpflow.grading.extraction import EXTRACTIONS
from xpflow.grading.extraction.rule import extract
from xpflow.grading.grade import Grader
from xpflow.grading.jails import JAILS
from xpflow.problems.problem import SCHEMAS, Problem
from xpflow.problems.shapes import SHAPES

NO_JAIL = JAILS["bwrap"].why_not() is not None


@pytest.mark.parametrize("name", list(SHAPES))
def test_a_shape_says_its_name_and_how_it_is_judged(name: str) -> None:
    shape = SHAPES[name]
    assert shape.name == shape.example.shape == name
    assert shape.title
    assert shape.about
    assert shape.extraction in EXTRACTIONS
    assert shape.example.kind is shape


@pytest.mark.parametrize("name", list(SHAPES))
def test_a_row_of_its_example_comes_back_equal_also_through_json(name: str) -> None:
    problem = SHAPES[name].example
    row = json.loads(json.dumps(problem.to_row()))
    assert Problem.from_row(row) == problem
    assert Problem.from_row({**row, "shape": name}) == problem
    assert ("shape" in row) == (name not in SCHEMAS.values())


@pytest.mark.parametrize("name", list(SHAPES))
def test_the_instruction_asks_for_the_problem_and_hides_the_solution(name: str) -> None:
    shape = SHAPES[name]
    asked = shape.instruction(shape.example)
    assert shape.example.prompt in asked
    assert shape.example.canonical_solution.strip() not in asked


@pytest.mark.skipif(NO_JAIL, reason="bwrap does not work here")
@pytest.mark.parametrize("name", list(SHAPES))
def test_the_canonical_answer_passes_and_nonsense_does_not(name: str) -> None:
    shape = SHAPES[name]
    problem = shape.example
    answers = (problem.canonical_solution, "", "no idea", "    return 2\n")
    items = [(problem, extract(answer, problem, shape.extraction)) for answer in answers]
    with Grader(workers=1) as grader:
        assert [verdict.passed for verdict in grader.grade(items)] == [True, False, False, False]
