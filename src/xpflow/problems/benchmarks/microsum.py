"""MicroSum as a benchmark: reports to be summarised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from xpflow.problems.benchmark import Benchmark, Data, PromptLengths
from xpflow.problems.benchmarks.micropy import LICENSE, SEEN_IN
from xpflow.problems.micropy.splits import Split
from xpflow.problems.microsum.dataset import SIZES, load
from xpflow.problems.microsum.report import VERSION
from xpflow.problems.problem import Problem


def reports(data: Data, split: str) -> Sequence[Problem]:
    """Return a split of the reports."""
    return load(cast(Split, split))


BENCHMARK = Benchmark(
    name="microsum",
    title="MicroSum",
    about="reports of numbers, to be summarised in one or two sentences",
    shape="summary",
    load=reports,
    sizes=SIZES,
    prompts=PromptLengths(90, 140),
    tasks="MicroSum/",
    seen_in=SEEN_IN,
    license=LICENSE,
    made=(
        f"Drawn by a generator with seed `{VERSION}/SPLIT` (Python's `random.Random`): counts of a week, of "
        "months or of people, between sentences that tell nothing. A summary's facts follow from the report, "
        "its wording is drawn. A hash of the report decides its split. "
        "`xpflow.problems.microsum` has the code."
    ),
)
