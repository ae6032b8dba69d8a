"""Lists of files that came from elsewhere, an archive's index or a note, checked before they are believed.

Covers: the form of paths, hashes and sizes, and that all paths can be files of one folder at once. Does not
cover: whether a path is one that a pack takes or leaves (`left_out`), and what the files hold.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from xpflow.artifacts.manifest import FileRecord
from xpflow.artifacts.places import is_plain

NAME_BYTES = 255  # of one name, what file systems allow
PATH_BYTES = 1024  # of a whole path: the folder that it is put into needs room too
LARGEST = (1 << 53) - 1  # canonical JSON has no larger integer
FIELDS = {"path", "sha256", "size"}


def flaw(path: object) -> str:
    """Return what is wrong with a path that should lie below some folder, or nothing."""
    if not isinstance(path, str) or not path:
        return "is no path"
    parts = PurePosixPath(path).parts
    if path.startswith("/") or ".." in parts:
        return "leads outside"
    if not is_plain(path):
        return "is not in its plain form"
    if not path.isprintable():  # control characters, NUL, and bytes that are no UTF-8
        return "has characters that cannot be shown"
    if len(path.encode()) > PATH_BYTES or any(len(part.encode()) > NAME_BYTES for part in parts):
        return "is too long"
    return ""


def clash(paths: Iterable[str]) -> str:
    """Return a path that is named twice, or lies below one that is a file too; nothing where none does."""
    found = sorted(PurePosixPath(path).parts for path in paths)
    for one, following in pairwise(found):
        if following[: len(one)] == one:
            return "/".join(following)
    return ""


def record_of(row: object) -> FileRecord:
    """Return the record of a parsed row; ValueError for another shape."""
    if not isinstance(row, dict) or row.keys() != FIELDS or not isinstance(row["path"], str):
        raise ValueError("a row that is no path, hash and size")
    sha256, size = row["sha256"], row["size"]
    hashed = isinstance(sha256, str) and re.fullmatch("[0-9a-f]{64}", sha256)
    if not hashed or type(size) is not int or not 0 <= size <= LARGEST:
        raise ValueError(f"{shown(row['path'])} has no hash and size")
    return FileRecord(row["path"], sha256, size)


def parsed(data: bytes) -> dict[str, Any]:
    """Return a JSON object; ValueError for anything else, however deep."""
    try:
        found = json.loads(data)
    except RecursionError as error:
        raise ValueError("JSON of too many levels") from error
    if not isinstance(found, dict):
        raise ValueError("no JSON object")
    return found


def shown(path: object) -> str:
    """Return a path as an error names it: harmless to a terminal, and not without end."""
    text = repr(path)
    return text if len(text) <= 120 else f"{text[:117]}..."
