"""XSum, CNN/DailyMail, PubMed and arXiv as DSL-LLaDA measures on them: documents with a reference summary.

Of a published split the first 1,000 items (validation: 200) in the order that `datasets` shuffles it in with
seed 42; documents are cut to their first 1,500 words. Commits of the first two are those that public records
of several projects agree on; none was fetched to be checked. Of ccdv's repositories we know no such commit:
name a local file of a split, in the published schema.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xpflow.errors import DataError
from xpflow.hub.repo import HubRepo, data_files
from xpflow.hub.tables import read_rows, stream_parquet
from xpflow.problems.benchmark import Benchmark, Data, PromptLengths
from xpflow.problems.problem import Problem
from xpflow.problems.shape import Fields

SEED, WORDS = 42, 1500
SIZES = {"test": 1000, "validation": 200}
Row = dict[str, Any]


def chosen(rows: int, count: int) -> list[int]:
    """Return which of so many rows are taken: the first `count` of `Dataset.shuffle(seed=42)`."""
    import numpy as np

    order: list[int] = np.random.default_rng(SEED).permutation(rows)[:count].tolist()
    return order


def cut(text: str, words: int = WORDS) -> str:
    """Return a text up to its `words`-th word; a shorter one as it is."""
    parts = text.split()
    return text.strip() if len(parts) <= words else " ".join(parts[:words])


def loader(name: str, files: str, document: str, summary: str) -> Callable[[Data, str], Sequence[Problem]]:
    """Return what loads a split; `files`: a pattern in which {} is the split.

    A local file holds the rows of the split that is asked for. Raises DataError where rows are malformed or
    too few, HubError where the data was not fetched.
    """

    def load(data: Data, split: str) -> Sequence[Problem]:
        if data.file is not None:
            rows, where = read_rows(data.file), str(data.file)
        else:
            assert data.repo is not None
            rows = list(stream_parquet(data_files(data.repo, files.format(split))))
            where = data.repo.label
        if len(rows) < SIZES[split]:
            raise DataError(
                f"{where}: {len(rows)} rows, and {SIZES[split]} are taken of a split",
                hint=f"take all rows of the published split {split!r}",
            )
        return [problem(rows[number], number, split, where) for number in chosen(len(rows), SIZES[split])]

    def problem(row: Row, number: int, split: str, where: str) -> Problem:
        fields = Fields(row, f"{where}, row {number}")
        reference = fields.text(summary).strip()
        return Problem(
            task_id=f"{name}/{split}/{number}",
            prompt=cut(fields.text(document)),
            entry_point="",
            tests=(reference,),
            canonical_solution=reference,
            source=name,
            split=split,
            shape="summary",
            shown_tests=0,
        )

    return load


XSUM = Benchmark(
    name="xsum",
    title="XSum",
    about="news, one sentence of each; 1,000 of the test split",
    shape="summary",
    load=loader("xsum", "data/{}-*.parquet", "document", "summary"),
    sizes=SIZES,
    takes_file=True,
    hub=HubRepo(
        "xsum",
        "EdinburghNLP/xsum",
        "7d4d486c2f8ef850b1a11aead99b894ff3dd7da9",
        "dataset",
        "XSum",
        files=("data/test-*.parquet", "data/validation-*.parquet", "README.md"),
    ),
    prompts=PromptLengths(600, 2600),
    download_bytes=40e6,
)
CNN_DAILYMAIL = Benchmark(
    name="cnn-dailymail",
    title="CNN/DailyMail",
    about="news, two or three sentences of each; 1,000 of the test split",
    shape="summary",
    load=loader("cnn-dailymail", "3.0.0/{}-*.parquet", "article", "highlights"),
    sizes=SIZES,
    takes_file=True,
    hub=HubRepo(
        "cnn-dailymail",
        "abisee/cnn_dailymail",
        "96df5e686bee6baa90b8bee7c28b81fa3fa6223d",
        "dataset",
        "CNN/DailyMail 3.0.0",
        files=("3.0.0/test-*.parquet", "3.0.0/validation-*.parquet", "README.md"),
    ),
    prompts=PromptLengths(1100, 2600),
    download_bytes=80e6,
    license="apache-2.0",
)


def _papers(name: str, title: str, hub_id: str) -> Benchmark:
    return Benchmark(
        name=name,
        title=title,
        about=f"{title} papers, an abstract of each; 1,000 of the test split; needs a file",
        shape="summary",
        load=loader(name, "**/{}-*.parquet", "article", "abstract"),
        sizes=SIZES,
        takes_file=True,
        hub=HubRepo(name, hub_id, "", "dataset", f"{title} papers"),
        prompts=PromptLengths(2200, 2800),
        download_bytes=400e6,
    )


PUBMED = _papers("pubmed-abstracts", "PubMed", "ccdv/pubmed-summarization")
ARXIV = _papers("arxiv-abstracts", "arXiv", "ccdv/arxiv-summarization")
