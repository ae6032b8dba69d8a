"""Reading and writing files so that a killed run never leaves half of one.

Every writer puts the bytes in a temporary file of the same folder, flushes it to the disk and renames it over
the target: a reader sees the old file or the new one. Two writers of one path do not corrupt each other, the
last rename wins.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from xpflow.errors import ArtifactError

LARGE = 200_000_000  # bytes; hashing more takes seconds
_HINTS = {
    errno.ENOSPC: "free some disk space and start again",
    errno.EDQUOT: "the quota is used up: free some space and start again",
    errno.EROFS: "the file system is read-only: use another folder",
    errno.EACCES: "you may not write there: use another folder, or change its permissions",
    errno.EPERM: "you may not write there: use another folder, or change its permissions",
}


@contextmanager
def atomic_writer(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on a clean exit it is fsynced and renamed to `path`.

    The block may write the temporary file in any way (or replace it). On an exception nothing is left behind
    and the old `path` stays. Parent folders are made.

    Raises:
        ArtifactError: the disk is full, or the folder cannot be written to.
    """
    target = Path(path)
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            _sync(temporary)
            temporary.chmod(_default_mode())
            os.replace(temporary, target)
            _sync_folder(target.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def explained(target: Path) -> Iterator[None]:
    """Turn a full disk, or a folder that may not be written to, into an error that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in _HINTS:
            raise
        raise ArtifactError(
            f"cannot write {target}: {error.strerror}",
            hint=f"{_HINTS[error.errno]}; what was there before stays",
        ) from error


def atomic_write_bytes(path: str | Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with atomic_writer(path) as temporary:
        temporary.write_bytes(data)


def atomic_write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` as UTF-8 with the newlines it has, whole or not at all."""
    atomic_write_bytes(path, text.encode("utf-8"))


def read_jsonl(path: str | Path) -> list[dict[str, Any]]:
    """Read a JSON-lines file of objects; blank lines are skipped.

    Raises ArtifactError naming the file and the line when it is absent or a line is not a JSON object.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
    except FileNotFoundError as error:
        raise ArtifactError(f"no such file: {path}", hint="run the stage that makes it first") from error
    return [_row(line, path, number) for number, line in enumerate(lines, start=1) if line.strip()]


def write_jsonl(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object per line with sorted keys, so that equal rows give equal bytes."""
    text = "".join(json.dumps(row, sort_keys=True, ensure_ascii=False) + "\n" for row in rows)
    atomic_write_text(path, text)


def sha256_file(path: str | Path) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remembered_sha256(path: Path, memory: Path = Path(".snakemake/xpflow-sha256")) -> str:
    """Return the SHA-256 of a file; of one that takes seconds to read, it is remembered while the file stays.

    A file stays as long as place, inode, size and both times are the same. The system sets the time of the
    last change (`st_ctime`) by itself at every write, so copying, restoring and touching make it another.
    """
    stat = path.stat()
    if stat.st_size <= LARGE:
        return sha256_file(path)
    state = f"{path.resolve()} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"
    note = memory / hashlib.sha256(state.encode("utf-8", "surrogateescape")).hexdigest()
    with suppress(OSError, ValueError):
        found = note.read_text(encoding="ascii")
        if re.fullmatch("[0-9a-f]{64}", found):
            return found
    found = sha256_file(path)
    with suppress(ArtifactError, OSError):
        atomic_write_text(note, found)
    return found


def _row(line: str, path: str | Path, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ArtifactError(
            f"{path}, line {number}: not JSON ({error.msg})",
            hint="the file may have been cut short; delete it and run its stage again",
        ) from error
    if not isinstance(row, dict):
        raise ArtifactError(f"{path}, line {number}: expected a JSON object, found {type(row).__name__}")
    return row


def _sync(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _default_mode() -> int:
    """Return the permissions a plain open() would have given: mkstemp makes private files."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
