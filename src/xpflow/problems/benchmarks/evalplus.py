"""EvalPlus's two benchmarks: HumanEval+ (164 tasks) and MBPP+ (378 tasks), with many more tests for each.

They come from the hub (evalplus/humanevalplus, evalplus/mbppplus), at a commit that the study names, or from
a local copy of such rows: JSON lines, Parquet or an Arrow folder. Their tests import numpy, which the trusted
side of the grader has; programs need none. What evalplus itself downloads (inputs without expected outputs,
which it computes with the canonical solution) is another format and is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xpflow.errors import DataError
from xpflow.hub.repo import HubRepo, read_parquet
from xpflow.hub.tables import read_rows
from xpflow.problems.benchmark import Benchmark, Data, PromptLengths, require_size
from xpflow.problems.problem import Problem
from xpflow.problems.shape import Fields

HUMANEVAL_SIZE, MBPP_SIZE = 164, 378
Rows = Sequence[Mapping[str, Any]]


def load_humaneval(data: Data, split: str) -> Sequence[Problem]:
    """Return the 164 problems in the order of the data.

    Raises:
        DataError: a row is malformed, or they are not 164. HubError: the data was not fetched.
    """
    rows, where = _rows(data)
    return require_size(humaneval_problems(rows, where), HUMANEVAL_SIZE, where)


def load_mbpp(data: Data, split: str) -> Sequence[Problem]:
    """Return the 378 problems in the order of the data.

    Raises:
        DataError: a row is malformed, or they are not 378. HubError: the data was not fetched.
    """
    rows, where = _rows(data)
    return require_size(mbpp_problems(rows, where), MBPP_SIZE, where)


def humaneval_problems(rows: Rows, where: str) -> list[Problem]:
    """Turn rows in HumanEval's schema into problems."""
    fixed = {"source": HUMANEVAL_PLUS.name, "split": "test"}
    return [
        Problem.from_row({**_checked(row, place), **fixed}, where=place)
        for row, place in _placed(rows, where)
    ]


def mbpp_problems(rows: Rows, where: str) -> list[Problem]:
    """Turn rows {task_id, prompt, code, test_imports, test_list, test} into problems.

    The tests are MBPP's own, which a prompt may show, and behind them the added ones, which it may not.
    """
    return [_mbpp_problem(_checked(row, place), place) for row, place in _placed(rows, where)]


def _mbpp_problem(row: Mapping[str, Any], place: str) -> Problem:
    fields = Fields(row, place)
    own = fields.texts("test_list")
    full = {
        "task_id": row.get("task_id"),
        "text": fields.text("prompt"),
        "code": fields.text("code"),
        "test_list": [*own, fields.text("test")],
        "test_setup_code": "\n".join(fields.texts("test_imports")),
        "shown_tests": len(own),
        "source": MBPP_PLUS.name,
        "split": "test",
    }
    return Problem.from_row(full, where=place)


def _placed(rows: Rows, where: str) -> list[tuple[Mapping[str, Any], str]]:
    return [(row, f"{where}, problem {number}") for number, row in enumerate(rows, start=1)]


def _checked(row: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    """Return a row; raises DataError for evalplus's own format."""
    if "plus_input" in row and "test" not in row:
        raise DataError(
            f"{place}: evalplus's own format, which has inputs and no tests",
            hint="take the rows of the hub's data set, evalplus/humanevalplus or evalplus/mbppplus",
        )
    return row


def _rows(data: Data) -> tuple[Rows, str]:
    if data.file is not None:
        return read_rows(data.file), str(data.file)
    assert data.repo is not None
    return read_parquet(data.repo, "data/test-*.parquet"), data.repo.label


HUMANEVAL_PLUS = Benchmark(
    name="humaneval-plus",
    title="HumanEval+",
    about="HumanEval with EvalPlus's tests",
    shape="humaneval",
    load=load_humaneval,
    sizes={"test": HUMANEVAL_SIZE},
    file="humaneval_plus",
    hub=HubRepo("humaneval-plus", "evalplus/humanevalplus", "", "dataset", "HumanEval with EvalPlus's tests"),
    revision="humaneval_plus_revision",
    prompts=PromptLengths(200, 500),
    download_bytes=10e6,
    license="apache-2.0",
    made="EvalPlus added tests to the original benchmark (github.com/evalplus/evalplus).",
    tasks="HumanEval/",
    seen_in=frozenset({"evalplus", "HumanEvalPlus.jsonl", "datasets--evalplus--humanevalplus"}),
)
MBPP_PLUS = Benchmark(
    name="mbpp-plus",
    title="MBPP+",
    about="MBPP, 378 tasks with EvalPlus's tests",
    shape="mbpp",
    load=load_mbpp,
    sizes={"test": MBPP_SIZE},
    file="mbpp_plus",
    hub=HubRepo("mbpp-plus", "evalplus/mbppplus", "", "dataset", "MBPP with EvalPlus's tests"),
    revision="mbpp_plus_revision",
    prompts=PromptLengths(700, 1500, zero_shot=(180, 1000)),
    download_bytes=10e6,
    license="apache-2.0",
    made="EvalPlus added tests to the original benchmark (github.com/evalplus/evalplus).",
    tasks="MBPP/",
    seen_in=frozenset({"evalplus", "MbppPlus.jsonl", "datasets--evalplus--mbppplus"}),
)
