"""Summaries: which facts are said, what is invented, what is measured, and that MicroSum's own are right."""

from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from xpflow.errors import DataError
from xpflow.problems import microsum
from xpflow.problems.microsum.report import draw_report, split_of
from xpflow.problems.microsum.words import document, facts, summary
from xpflow.problems.problem import Problem
from xpflow.problems.shapes.summary import MEASURES, SHAPE, degenerate, judge, repeated

FACTS = ["most|highest Friday 47", "fewest|lowest Sunday 3", "rose|grew 31 40"]
ROW = {"shape": "summary", "task_id": "s", "document": "Monday: 31 ...", "summary": "Most on Friday, 47."}
PROBLEM = Problem.from_row({**ROW, "facts": FACTS})
RIGHT = "The most were sold on Friday, 47, the fewest on Sunday, 3. The count grew from 31 to 40."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (RIGHT, 3),
        ("From 31 at first it rose to 40. Lowest was Sunday (3), highest Friday (47)", 2),  # 31 before "rose"
        (RIGHT.upper(), 3),
        (RIGHT.replace("47", "3").replace("Sunday, 3", "Sunday, 47"), 1),
        (RIGHT.replace("Friday", "Sunday", 1), 2),
        (RIGHT.replace("from 31 to 40", "from 40 to 31"), 2),
        (RIGHT.replace("grew", "fell"), 2),
        ("The most were sold. On Friday, 47.", 0),  # the next sentence is about something else
        (f"{RIGHT} The most came on Sunday, 3.", 2),  # said rightly, then wrongly
        ("", 0),
    ],
)
def test_a_fact_is_its_words_in_order_behind_the_word_that_tells_it(text: str, said: int) -> None:
    judgement = judge(PROBLEM, text)
    assert judgement.measures["facts"] == pytest.approx(said / 3)
    assert judgement.passed == (said == 3)


def test_a_number_that_no_fact_has_is_invented() -> None:
    assert not judge(PROBLEM, f"{RIGHT} In all 212 were sold.").passed
    assert judge(PROBLEM, f"{RIGHT} That was all.").passed


def test_all_measures_are_there_and_rouge_is_that_of_the_reference() -> None:
    measures = judge(PROBLEM, "Most on Friday, 47.").measures
    assert tuple(measures) == MEASURES == SHAPE.measures
    assert [measures[name] for name in ("rouge1", "rouge2", "rougeL", "words")] == [1, 1, 1, 4]
    half = judge(PROBLEM, "Most on Friday. And more words here.").measures  # 3 of 7, of 4: F1 = 6 / 11
    assert half["rouge1"] == pytest.approx(6 / 11)
    assert judge(PROBLEM, "nothing").measures["rougeL"] == 0


def test_without_facts_an_answer_counts_unless_it_is_degenerate() -> None:
    problem = Problem.from_row(ROW)
    assert "facts" not in judge(problem, "Friday was the best day of all.").measures
    assert judge(problem, "Friday was the best day of all.").passed
    assert not judge(problem, "the the the the the").passed


@pytest.mark.parametrize("text", ["", "one two", "a b c d d d e f", "so it was. so it was. so it was."])
def test_next_to_nothing_and_the_same_again_are_degenerate(text: str) -> None:
    assert degenerate(text)
    assert not degenerate(RIGHT)


def test_repetition_is_the_share_of_trigrams_that_were_there_before() -> None:
    assert repeated("a b c a b c") == pytest.approx(1 / 4)
    assert repeated("a b") == 0


def test_rows_that_are_no_facts_are_refused() -> None:
    with pytest.raises(DataError, match="field 'facts'"):
        Problem.from_row({**ROW, "facts": "most Friday"})
    with pytest.raises(DataError, match="field 'facts'"):
        Problem.from_row({**ROW, "facts": [" "]})


def test_every_wording_of_a_report_is_right_for_it_and_for_no_other() -> None:
    rng = Random(0)
    for _ in range(200):
        mine, other = draw_report(rng, "train"), draw_report(rng, "train")
        said = summary(mine, rng)
        problem = Problem("s", "", "", (said, *facts(mine)), said, "microsum", "train", "summary")
        assert judge(problem, summary(mine, rng)).passed
        assert judge(problem, said).measures["degenerate"] == 0
        assert not judge(problem, summary(other, rng)).passed


def test_a_report_says_all_its_counts_and_belongs_to_one_split() -> None:
    rng = Random(1)
    for split in ("train", "validation", "test"):
        report = draw_report(rng, split)
        assert split_of(report) == split
        text = document(report, rng)
        assert all(
            f"{label}" in text and str(n) in text
            for label, n in zip(report.labels, report.counts, strict=True)
        )


def test_a_summary_has_many_wordings() -> None:
    report = draw_report(Random(2), "train")
    assert len({summary(report, Random(seed)) for seed in range(200)}) > 20


def test_training_pairs_are_the_prompt_and_answer_that_are_asked_for() -> None:
    (question, answer), *_ = islice(microsum.WORLD.training_pairs(0), 1)
    assert question.endswith("Summarise this in one or two sentences.")
    assert answer not in question
    assert microsum.load("test")[0].source == "microsum"
    with pytest.raises(DataError, match="no split 'dev'"):
        microsum.load("dev")


@pytest.mark.parametrize(
    "fact", ["most Friday 47.5", "best-seller|most 3", "most| Friday", "| 3", "most $47", "most •"]
)
def test_a_fact_that_no_answer_can_say_is_the_row_s_fault(fact: str) -> None:
    with pytest.raises(DataError, match="no answer can say"):
        Problem.from_row({**ROW, "facts": ["rose 31", fact]})


@pytest.mark.parametrize("reference", ["", "今日は晴れです", "Понедельник был лучшим", "—"])
def test_a_reference_that_rouge_cannot_read_has_no_rouge_rather_than_0(reference: str) -> None:
    measures = judge(Problem.from_row({**ROW, "summary": reference}), reference).measures
    assert not {"rouge1", "rouge2", "rougeL"} & measures.keys()
    assert measures["degenerate"] in (0.0, 1.0)
