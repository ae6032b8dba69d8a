"""Problems as a data set that `datasets.load_dataset` reads: Parquet files, and a card that describes them.

Each benchmark (or file of problems) is a configuration, each split a file `NAME/SPLIT.parquet` in the schema
of the problems' shapes; a column that some problems have no value for is null there. `README.md` has what the
library and the hub's pages want to know, as YAML, and the same in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xpflow.artifacts.io import atomic_write_text, atomic_writer
from xpflow.errors import DataError
from xpflow.problems.benchmark import Sources, load_benchmark
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.problems.card import Table, card
from xpflow.problems.problem import Problem

if TYPE_CHECKING:
    import pyarrow as pa

CARD = "README.md"
# What datasets takes as a name of a split, and of a configuration.
_SPLIT, _NAME = re.compile(r"\w+(\.\w+)*"), re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Collection:
    """One configuration: problems by split, and what its card says of them."""

    name: str
    splits: Mapping[str, Sequence[Problem]]
    about: str = ""
    license: str = ""
    made: str = ""


def of_benchmark(name: str, sources: Sources) -> Collection:
    """Return a benchmark with its splits; one that only puts others together (`all`) is left out."""
    benchmark = BENCHMARKS[name]
    loaded = {split: load_benchmark(name, split, sources=sources) for split in benchmark.splits}
    own = {split: found for split, found in loaded.items() if {problem.split for problem in found} <= {split}}
    return Collection(benchmark.name, own, benchmark.about, benchmark.license, benchmark.made)


def of_problems(name: str, problems: Iterable[Problem], about: str = "") -> Collection:
    """Return problems by the split that each of them names, in their order."""
    splits: dict[str, list[Problem]] = {}
    for problem in problems:
        splits.setdefault(problem.split, []).append(problem)
    return Collection(name, splits, about)


def write_dataset(folder: Path, collections: Sequence[Collection]) -> list[Path]:
    """Write a data set and its card into a folder; returns the files, the card last.

    Raises:
        DataError: a name cannot be one of a split or configuration, or a field fits into no column.
    """
    files: list[Path] = []
    tables: list[Table] = []
    for one in collections:
        _require_names(one)
        parts = _parts(one)
        for split, part in parts.items():
            files.append(folder / one.name / f"{split}.parquet")
            _write(files[-1], part)
        sizes = {split: part.num_rows for split, part in parts.items()}
        schema = next(iter(parts.values())).schema
        tables.append(
            Table(one.name, {f.name: f.type for f in schema}, sizes, one.about, one.license, one.made)
        )
    atomic_write_text(folder / CARD, card(tables))
    return [*files, folder / CARD]


def _require_names(one: Collection) -> None:
    if not _NAME.fullmatch(one.name) or not one.splits:
        raise DataError(
            f"{one.name!r}: {'no problems' if not one.splits else 'no name of a configuration'}",
            hint="names have letters, digits, dots, hyphens and underscores",
        )
    for split in one.splits:
        if not _SPLIT.fullmatch(split) or split == "all":
            raise DataError(
                f"{one.name}: {split!r} cannot be a split of a data set",
                hint="splits have letters, digits, underscores and dots between them; `all` is taken",
            )


def _parts(one: Collection) -> dict[str, pa.Table]:
    """Return the tables of the splits; all have the same columns."""
    import pyarrow as pa

    problems = [problem for part in one.splits.values() for problem in part]
    rows = [problem.to_row() for problem in problems]
    if len({type(row["task_id"]) for row in rows}) > 1:  # MBPP's numbers beside names of others
        rows = [{**row, "task_id": problem.task_id} for row, problem in zip(rows, problems, strict=True)]
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    try:
        whole = pa.table({name: pa.array(values, _type(values)) for name, values in columns.items()})
    except (pa.ArrowException, UnicodeError, OverflowError) as error:
        raise DataError(
            f"{one.name}: a field fits into no column of a table ({error})",
            hint="a field needs one type in all problems, and text that UTF-8 can hold",
        ) from error
    parts, start = {}, 0
    for split, part in one.splits.items():
        parts[split] = whole.slice(start, len(part))
        start += len(part)
    return parts


def _type(values: Sequence[Any]) -> pa.DataType | None:
    """Return the type of a column of texts, or of lists of texts (all may be empty); None: by its values."""
    import pyarrow as pa

    there = [value for value in values if value is not None]
    if all(isinstance(value, str) for value in there):
        return pa.string()
    texts = all(isinstance(value, list) and all(isinstance(one, str) for one in value) for value in there)
    return pa.list_(pa.string()) if texts else None


def _write(path: Path, table: pa.Table) -> None:
    from pyarrow import parquet

    with atomic_writer(path) as temporary:
        parquet.write_table(table, temporary)
