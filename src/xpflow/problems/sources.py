"""Where data sets that do not ship come from: pinned hub revisions, or local files named in the config."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from xpflow.artifacts.io import sha256_file
from xpflow.errors import DataError

MBPP_REVISION = "4bb6404fdc6cacfda99d4ac4205087b89d32030c"


@dataclass(frozen=True, slots=True)
class DataSources:
    """Local files and hub revisions of the external data sets; a file wins over the hub.

    The fields are those of the config's `problems.sources`."""

    humaneval: str | Path | None = None
    mbpp: str | Path | None = None
    mbpp_sanitized: str | Path | None = None
    mbpp_revision: str = MBPP_REVISION
    tulu3_personas: str | Path | None = None
    tulu3_personas_revision: str | None = None


def announce_file(path: str | Path, setting: str) -> None:
    """Print the SHA-256 of a local data file on stderr, so that the log of a run says what it read.

    Raises:
        DataError: the file does not exist; names the setting it came from.
    """
    if not Path(path).is_file():
        raise DataError(
            f"{setting}: no such file: {path}", hint="paths are relative to the working directory"
        )
    print(f"{setting}: {path} sha256 {sha256_file(path)}", file=sys.stderr)
