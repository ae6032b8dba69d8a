"""JSON-lines logs of the training stages as tables."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from xpflow.artifacts.io import read_jsonl
from xpflow.errors import DataError


def read_log(path: Path, required: Iterable[str], **labels: Any) -> pd.DataFrame:
    """Read one log; `labels` become columns. DataError names the file and the first missing field."""
    rows = read_jsonl(path)
    if not rows:
        raise DataError(f"{path} is empty", hint="delete it and run its stage again")
    missing = [name for name in required if name not in rows[0]]
    if missing:
        raise DataError(f"{path}: rows have no field {missing[0]!r}")
    return pd.DataFrame(rows).assign(**labels)
