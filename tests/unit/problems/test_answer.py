"""Exact answers: which texts are one answer, how they are found, and that nothing of them is ever run."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpflow.errors import GradingError
from xpflow.grading.extraction.rule import extract
from xpflow.grading.samples import grade_samples
from xpflow.problems import Problem
from xpflow.problems.shapes.answer import LONGEST, SHAPE, judge, normalised


def question(answer: str) -> Problem:
    return Problem.from_row({"shape": "answer", "task_id": "q", "question": "How many?", "answer": answer})


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("1,234", "1234"),
        ("$18.00", "18"),
        ("+7.", "7"),
        ("0.50", "1/2"),
        (".5", "0.5"),
        ("50 %", "50"),
        (" Paris. ", "paris"),
        ("New   York", "new york"),
        ("1/0", "1/0"),
    ],
)
def test_one_answer_has_many_spellings(answer: str, expected: str) -> None:
    assert judge(question(expected), answer).passed


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("41", "42"),
        ("4 2", "42"),
        ("42 apples", "42"),
        ("", "42"),
        ("-7", "7"),
        ("1/2", "2"),
        ("Lyon", "Paris"),
    ],
)
def test_another_answer_is_wrong(answer: str, expected: str) -> None:
    found = judge(question(expected), answer)
    assert (found.passed, found.found, found.expected) == (False, answer, expected)


@given(st.text(max_size=60))
def test_any_text_is_its_own_answer(text: str) -> None:
    assert normalised(text) == normalised(text + " ")


def test_a_long_text_is_compared_as_it_is_in_no_time() -> None:
    assert normalised("9" * (LONGEST + 1)) == "9" * (LONGEST + 1)
    assert isinstance(normalised("9" * LONGEST), str)


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ("40 + 2 = 42\n#### 42", "42"),
        ("#### 1\nNo:\n#### 42\nDone.", "42"),
        ("So it is\n42\n", "42"),
        ("####\n", ""),
        ("", ""),
    ],
)
def test_the_final_answer_is_behind_the_last_mark_or_the_last_line(completion: str, answer: str) -> None:
    assert extract(completion, SHAPE.example, SHAPE.extraction) == answer


def test_answers_are_graded_without_a_jail_and_never_run(tmp_path: Path) -> None:
    there = tmp_path / "ran"
    hostile = f"#### __import__('pathlib').Path({str(there)!r}).touch()"
    rows = [{"task_id": "q", "completion": text} for text in ("#### 42", "41", hostile)]
    verdicts = grade_samples([question("a\n#### 42")], rows, jail="no-such-jail")
    assert [verdict.verdict for verdict in verdicts] == ["passed", "wrong", "wrong"]
    assert (verdicts[1].found, verdicts[1].expected) == ("'41'", "'42'")
    assert {verdict.protocol for verdict in verdicts} == {"micropy@1"}
    assert not there.exists()


def test_a_question_without_an_answer_cannot_be_graded() -> None:
    with pytest.raises(GradingError, match="has no tests"):
        grade_samples([question("")], [{"task_id": "q", "completion": "1"}])
