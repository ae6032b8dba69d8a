"""What a corpus is: published texts at a pinned commit, one document a row, read by `datasets` as they are.

To add one: a `Corpus`, and its line in `xpflow.corpora`. Nothing is downloaded here (`xpflow.hub.fetch` does
that), every file is hashed before it is read, and rows are streamed: OpenWebText is 40 GB of text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from xpflow.errors import ConfigError, DataError, nearest
from xpflow.hub.repo import HubRepo, data_files
from xpflow.hub.tables import is_table, read_rows, stream_parquet


@dataclass(frozen=True, slots=True)
class Part:
    """A split: which files of the repository, and which of their rows, as Python slices them."""

    files: str
    start: int = 0
    stop: int | None = None


@dataclass(frozen=True, slots=True)
class Corpus:
    """Published texts.

    The files of its repository are Parquet, or JSON lines of which no split is a slice.

    Args:
        name, about: what tables and help call it.
        hub: its repository; an empty revision: we know no commit that can be pinned, so the caller names one,
            or a local file.
        column: the column that holds a document.
        parts: its splits, "train" and those that are measured on.
        measured: the split that MDLM's evaluation measures on.
        detokenise: makes running text of a document that was published as tokens with spaces between.
        rows: documents in all files of a split that is a slice, where they are known: other numbers are an
            error, since the slice would be another one.
        sizes: bytes of text of a split, and download: of what is fetched, as the data set's card says them;
            for a plan. What is left out is not known.
    """

    name: str
    about: str
    hub: HubRepo
    column: str
    parts: Mapping[str, Part]
    measured: str
    detokenise: Callable[[str], str] | None = None
    rows: Mapping[str, int] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    download: int = 0

    def documents(self, split: str, file: Path | None = None, revision: str = "") -> Iterator[str]:
        """Yield the documents of a split in their published order, detokenised.

        Args:
            file: a local copy of the split's files, as one Parquet file, an Arrow folder or JSON lines.
            revision: another commit than the pinned one.

        Raises:
            ConfigError: no such split, or no commit is pinned and none is named.
            HubError: it was not fetched, or changed since. DataError: a row holds no text.
        """
        if split not in self.parts:
            raise ConfigError(f"{self.name} has no split {split!r}", hint=nearest(split, self.parts))
        part = self.parts[split]
        rows, where = self._rows(part, split, file, revision)
        for number, row in enumerate(rows, start=part.start):
            text = row.get(self.column)
            if not isinstance(text, str):
                raise DataError(
                    f"{where}, row {number}: no text in the column {self.column!r}",
                    hint=f"its columns are {', '.join(map(repr, row))}",
                )
            yield self.detokenise(text) if self.detokenise else text

    def repo(self, revision: str = "") -> HubRepo:
        """Return the repository at a commit; raises ConfigError where none is pinned and none is named."""
        if not (revision or self.hub.revision):
            raise ConfigError(
                f"{self.hub.hub_id} has no default revision",
                hint="name a commit hash of the data set that holds Parquet files, or a local file",
            )
        return self.hub.at(revision or self.hub.revision)

    def _rows(
        self, part: Part, split: str, file: Path | None, revision: str
    ) -> tuple[Iterator[dict[str, Any]], str]:
        """Return the rows of a split, and what to call their source."""
        if (file is not None and not is_table(file)) or (file is not None and file.is_dir()):
            held = read_rows(file)
            return islice(held, *self._slice(part, split, len(held), str(file))), str(file)
        files = data_files(self.repo(revision), part.files) if file is None else [file]
        where = str(file) if file else self.repo(revision).label
        sliced = part.start or part.stop is not None
        bounds = self._slice(part, split, count_rows(files), where) if sliced else (0, None)
        if is_table(files[0]):
            return islice(stream_parquet(files), *bounds), where
        return (row for one in files for row in read_rows(one)), where  # JSON lines, of which none is sliced

    def _slice(self, part: Part, split: str, count: int, where: str) -> tuple[int, int | None]:
        known = self.rows.get(split)
        if known is not None and count != known:
            raise DataError(
                f"{where} has {count} documents, not {known}: the split {split!r} would be another one",
                hint=f"take all files of {self.hub.hub_id}",
            )
        start, stop, _ = slice(part.start, part.stop).indices(count)
        return start, stop


def count_rows(files: list[Path]) -> int:
    """Return the rows of Parquet files, from their footers; raises DataError."""
    from pyarrow import ArrowException, parquet

    try:
        return sum(parquet.ParquetFile(file).metadata.num_rows for file in files)
    except (ArrowException, OSError) as error:
        raise DataError(f"{', '.join(map(str, files))}: no Parquet file can be read ({error})") from error
