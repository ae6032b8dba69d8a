"""FineWeb-Edu as something to learn from: the beginning of a web page, and how it goes on. No tests.

Pages of sample/10BT in their published order, streamed from its first file. A page of at least 320 words
gives a prompt of its first 64 words and an answer of the next 256; shorter ones are passed over.
Deviation: DSL-LLaDA continues on whole pages packed to blocks, without a prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from xpflow.errors import DataError
from xpflow.hub.repo import HubRepo, data_files
from xpflow.hub.tables import stream_parquet, stream_rows
from xpflow.problems.benchmark import Benchmark, Data, PromptLengths, require_size
from xpflow.problems.problem import Problem

PROMPT, ANSWER, PAGES = 64, 256, 34_000
FILE = "sample/10BT/000_00000.parquet"


def load(data: Data, split: str) -> Sequence[Problem]:
    """Return the first pages that are long enough; a local file may have fewer of them.

    Raises:
        DataError: a row holds no text, or too few pages are long enough. HubError: it was not fetched.
    """
    if data.file is not None:
        return list(islice(continuations(stream_rows(data.file), str(data.file)), PAGES))
    assert data.repo is not None
    rows, where = stream_parquet(data_files(data.repo, FILE)), data.repo.label
    found = list(islice(continuations(rows, where), PAGES))
    return require_size(found, PAGES, where, f"that many have {PROMPT + ANSWER} words")


def continuations(rows: Iterable[Mapping[str, Any]], where: str) -> Iterator[Problem]:
    """Yield a problem without tests for each page that is long enough, named by its row."""
    for number, row in enumerate(rows):
        text = row.get("text")
        if not isinstance(text, str):
            raise DataError(f"{where}, row {number}: no text in the column 'text'")
        words = text.split()
        if len(words) >= PROMPT + ANSWER:
            yield Problem(
                task_id=f"fineweb-edu/{number}",
                prompt="Continue this text.\n\n" + " ".join(words[:PROMPT]),
                entry_point="",
                tests=(),
                canonical_solution=" ".join(words[PROMPT : PROMPT + ANSWER]),
                source="fineweb-edu",
                split="train",
                shape="summary",
                shown_tests=0,
            )


BENCHMARK = Benchmark(
    name="fineweb-edu",
    title="FineWeb-Edu",
    about="beginnings of web pages and how they go on, to learn from; no tests",
    shape="summary",
    load=load,
    tested=None,
    sizes={"train": PAGES},
    default_split="train",
    takes_file=True,
    hub=HubRepo(
        "fineweb-edu",
        "HuggingFaceFW/fineweb-edu",
        "87f09149ef4734204d70ed1d046ddc9ca3f2b8f9",
        "dataset",
        "FineWeb-Edu, the first file of sample/10BT",
        files=(FILE, "README.md"),
    ),
    prompts=PromptLengths(110, 220),
    download_bytes=2.2e9,
    license="odc-by",
)
