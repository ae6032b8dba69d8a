"""Tables read by the library `datasets`: Parquet files, and its own Arrow folders (`save_to_disk`).

Only local files are read, as they are now: streaming leaves no cache that could be older than its file, no
code of a data set runs, and the network is not asked. JSON lines are read by `xpflow.artifacts.io` instead:
`datasets` guesses types from values there, and makes a date of the text "2026-01-31".
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from xpflow.artifacts.io import read_jsonl
from xpflow.errors import DataError

Row = dict[str, Any]
PARQUET = b"PAR1"
# What `save_to_disk` writes: a data set, or several by their splits.
STATE, SPLITS = "state.json", "dataset_dict.json"


def is_table(path: Path) -> bool:
    """Return whether a path is a folder, or a Parquet file whatever its name."""
    if not path.is_file():
        return path.is_dir()
    with open(path, "rb") as file:
        return file.read(len(PARQUET)) == PARQUET


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a local Parquet file, an Arrow folder or a file of JSON lines (compressed or not).

    An Arrow folder with several splits gives all of them, in its own order.

    Raises:
        DataError, ArtifactError: it is none of these, or damaged.
    """
    if not is_table(path):
        return read_jsonl(path)
    return arrow_rows(path) if path.is_dir() else parquet_rows([path])


def stream_rows(path: Path) -> Iterator[Row]:
    """Yield what `read_rows` returns, without holding a Parquet file in memory."""
    if path.is_file() and is_table(path):
        yield from stream_parquet([path])
    else:
        yield from read_rows(path)


def parquet_rows(files: Sequence[Path]) -> list[Row]:
    """Return the rows of local Parquet files, one after the other.

    Raises:
        DataError: a file is damaged, or has types that `datasets` does not know.
    """
    return list(stream_parquet(files))


def stream_parquet(files: Sequence[Path]) -> Iterator[Row]:
    """Yield the rows of local Parquet files, one after the other, a thousand in memory at a time.

    Raises:
        DataError: a file is damaged, or has types that `datasets` does not know.
    """
    from datasets import load_dataset

    with tempfile.TemporaryDirectory(prefix="xpflow-tables-") as folder:
        # Links, because `datasets` takes names for patterns: "[1].parquet" would be another file.
        links = [Path(folder) / f"{number:05}.parquet" for number in range(len(files))]
        for link, file in zip(links, files, strict=True):
            link.symlink_to(file.resolve())
        try:
            stream = load_dataset(
                "parquet",
                data_files={"all": list(map(str, links))},
                split="all",
                streaming=True,
                cache_dir=folder,
            )
            for table in stream.with_format("arrow").iter(1000):
                yield from table.to_pylist()
        except Exception as error:  # datasets and pyarrow raise of many kinds
            raise _unreadable(", ".join(map(str, files)), error) from error


def arrow_rows(folder: Path) -> list[Row]:
    """Return the rows of a folder that `save_to_disk` wrote.

    Raises:
        DataError: it is no such folder, or damaged.
    """
    if not (folder / STATE).is_file() and not (folder / SPLITS).is_file():
        raise DataError(
            f"{folder} is no data set: it has neither {STATE} nor {SPLITS}",
            hint="name a folder that `save_to_disk` of the library datasets wrote, or a file",
        )
    from datasets import load_from_disk

    try:
        found = load_from_disk(str(folder))
        parts = [found] if (folder / STATE).is_file() else [found[name] for name in _splits(folder)]
        return [row for part in parts for row in part.with_format("arrow")[:].to_pylist()]
    except Exception as error:  # as above
        raise _unreadable(str(folder), error) from error


def _splits(folder: Path) -> list[str]:
    return list(json.loads((folder / SPLITS).read_text(encoding="utf-8"))["splits"])


def source_files(path: Path) -> list[Path]:
    """Return the files of a local source: itself, or all that lie below a folder, in the order of names."""
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _unreadable(name: str, error: Exception) -> DataError:
    said = str(error).partition("\n")[0]
    return DataError(
        f"{name}: cannot be read as a table ({type(error).__name__}: {said:.200})",
        hint="is it whole? Parquet files and folders of `save_to_disk` are read by the library datasets",
    )
