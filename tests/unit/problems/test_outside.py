"""A benchmark and a shape from outside, in a file: asked, graded, scored; no protocol knows either."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpflow.artifacts.io import write_jsonl
from xpflow.grading.samples import grade_samples
from xpflow.models.load import load_tokenizer
from xpflow.models.registry import MODELS, SHIPPED_NAMES
from xpflow.problems import problems_from_file, problems_to_file
from xpflow.problems.benchmark import load_benchmark
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.protocols import PROTOCOLS
from xpflow.protocols.prompter import Prompter
from xpflow.reporting.score import score_file

FILE = """
from xpflow.problems.benchmark import Benchmark
from xpflow.problems.problem import Problem
from xpflow.problems.shape import Fields, Judgement, Shape

NAME = "./rhymes.py:RHYME"


def from_row(row, where):
    fields = Fields(row, where)
    return Problem(
        fields.task_id(), fields.text("word"), "", (fields.text("ending"),), fields.text("rhyme"), "rhymes",
        "test", NAME, shown_tests=0,
    )


def to_row(problem):
    [ending] = problem.tests
    return {
        "task_id": problem.task_id, "word": problem.prompt, "ending": ending,
        "rhyme": problem.canonical_solution,
    }


def judge(problem, answer):
    [ending] = problem.tests
    good = answer.strip().endswith(ending) and answer.strip() != problem.prompt
    return Judgement(good, answer, f"...{ending}")


def problem(number, word, ending, rhyme):
    return Problem(f"rhyme/{number}", word, "", (ending,), rhyme, "rhymes", "test", NAME, shown_tests=0)


RHYME = Shape(
    name=NAME,
    title="Rhymes",
    about="the answer ends as the word does",
    instruction=lambda problem: f"Say one word that rhymes with {problem.prompt}.",
    extraction="whole",
    from_row=from_row,
    to_row=to_row,
    example=problem(0, "house", "ouse", "mouse"),
    judge=judge,
)
BENCHMARK = Benchmark(
    name="rhymes",
    about="words that rhyme",
    shape=NAME,
    load=lambda data, split: [problem(0, "house", "ouse", "mouse"), problem(1, "tree", "ee", "bee")],
    sizes={"test": 2},
    takes_file=True,
)
"""


@pytest.fixture
def name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name by which a study would choose the benchmark."""
    (tmp_path / "rhymes.py").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    return "./rhymes.py:BENCHMARK"


@pytest.mark.parametrize("protocol", list(PROTOCOLS))
def test_it_is_asked_graded_and_scored_whatever_the_protocol(protocol: str, name: str) -> None:
    problems_to_file("problems.jsonl", load_benchmark(name))
    problems = problems_from_file("problems.jsonl")
    assert problems == load_benchmark(name)
    for model in SHIPPED_NAMES:
        prompter = Prompter(PROTOCOLS[protocol], load_tokenizer(MODELS[model].shipped_folder))
        for problem in problems:
            assert f"rhymes with {problem.prompt}." in prompter.text(problem)
    rows = [
        {"task_id": p.task_id, "completion": "louse", "protocol": PROTOCOLS[protocol].label} for p in problems
    ]
    verdicts = grade_samples(problems, rows)
    assert [(v.verdict, v.found, v.expected) for v in verdicts] == [
        ("passed", "", ""),
        ("wrong", "'louse'", "'...ee'"),
    ]
    write_jsonl("verdicts.jsonl", [verdict.to_row() for verdict in verdicts])
    score = score_file(Path("verdicts.jsonl"))
    assert (score.rate.passes, score.rate.answers) == (1, 2)
    assert score.notes.protocols == [PROTOCOLS[protocol].label]


def test_it_takes_a_file_of_its_own_without_a_new_field_of_the_study(name: str, tmp_path: Path) -> None:
    benchmark = BENCHMARKS[name]
    assert benchmark.local_file({"files": {"rhymes": "mine.jsonl"}, "mbpp": None}) == Path("mine.jsonl")
    assert benchmark.local_file({"mbpp": "other.jsonl"}) is None
