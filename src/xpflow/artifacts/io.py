"""Reading and writing files so that a killed run never leaves half of one, and foreign text stays what it is.

Every writer puts the bytes in a temporary file of the same folder, flushes it to the disk and renames it over
the target: a reader sees the old file or the new one. Two writers of one path do not corrupt each other, the
last rename wins. `read_text` reads what people bring: compressed, with a byte-order mark, in UTF-16.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import hashlib
import json
import lzma
import os
import re
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from xpflow.errors import ArtifactError, XpflowError

LARGE = 200_000_000  # bytes; hashing more takes seconds
HINTS = {
    errno.ENOSPC: "free some disk space and start again",
    errno.EFBIG: "files may not be so large here: raise the limit (`ulimit -f`), or use another folder",
    errno.EMFILE: "too many files are open: raise the limit (`ulimit -n`)",
    errno.ENFILE: "too many files are open on this machine: try again later",
    errno.EDQUOT: "the quota is used up: free some space and start again",
    errno.EROFS: "the file system is read-only: use another folder",
    errno.EACCES: "you may not write there: use another folder, or change its permissions",
    errno.EPERM: "you may not write there: use another folder, or change its permissions",
    errno.EEXIST: "a file stands where a folder should be: name another place",
    errno.EIO: "the disk or the network file system fails: use another folder",
    errno.ENOTDIR: "a file stands where a folder should be: name another place",
    errno.EISDIR: "it is a folder: name a file in it",
    errno.ENAMETOOLONG: "the name is too long: shorten it",
    errno.ELOOP: "a link leads to itself: name another place",
}


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


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
            give_mode(temporary)
            os.replace(temporary, target)
            _sync_folder(target.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def explained(target: Path) -> Iterator[None]:
    """Turn a full disk, or a folder that may not be written to, into an error that says what to do."""
    try:
        yield
    except XpflowError:
        raise
    except Exception as error:
        number = error.errno if isinstance(error, OSError) else _full(error)
        if number not in HINTS:
            raise
        raise ArtifactError(
            f"cannot write {target}: {os.strerror(number)}",
            hint=f"{HINTS[number]}; what was there before stays",
        ) from error


def _full(error: BaseException) -> int | None:
    """Return the number of the system's error behind one of a library that writes files by itself, where it
    says that there is no more room: those of Rust have it in their text, torch's writer raises its own."""
    number = re.search(r"\(os error (\d+)\)", str(error))
    behind = error.errno if isinstance(error, OSError) else int(number[1]) if number else None
    if behind in FULL:
        return behind
    return None if error.__context__ is None else _full(error.__context__)


def atomic_write_bytes(path: str | Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with atomic_writer(path) as temporary:
        temporary.write_bytes(data)


def atomic_write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` as UTF-8 with the newlines it has, whole or not at all.

    A lone surrogate, which UTF-8 cannot hold, is written as its escape `\\ud83d`.
    """
    atomic_write_bytes(path, _encoded(text))


def read_text(path: str | Path) -> str:
    """Read a text file: UTF-8, or UTF-16 or UTF-32, with or without a byte-order mark, gzip, bzip2 or xz.

    Raises:
        ArtifactError: the file is absent or cannot be read, its compressed data is damaged, or it is text in
            no such encoding; says where and what to do.
    """
    data = _unpacked(_bytes_of(Path(path)), path)
    encoding = json.detect_encoding(data)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte, name = f"byte 0x{data[error.start]:02x}", encoding.removesuffix("-sig").upper()
        raise ArtifactError(
            f"{path}, line {line}: not {name} ({byte} at offset {error.start})",
            hint="if it is Latin-1: `iconv -f LATIN1 -t UTF-8 FILE > NEW`; files are read as UTF-8 or UTF-16",
        ) from error


def read_jsonl(path: str | Path) -> list[dict[str, Any]]:
    """Read a JSON-lines file of objects, in any encoding of `read_text`; blank lines are skipped.

    Raises:
        ArtifactError: see `read_text`; or a line is not a JSON object: names the file and the line.
    """
    lines = _LINE_END.split(read_text(path))
    return [_row(line, path, number) for number, line in enumerate(lines, start=1) if line.strip()]


def json_line(row: Mapping[str, Any]) -> bytes:
    """Return a row of a JSON-lines file: sorted keys, UTF-8, a lone surrogate as its escape."""
    return _encoded(json.dumps(row, sort_keys=True, ensure_ascii=False) + "\n")


def write_jsonl(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object per line with sorted keys, so that equal rows give equal bytes."""
    atomic_write_bytes(path, b"".join(map(json_line, rows)))


def whole_text(text: str) -> str:
    """Return a text whose lone surrogates, which no tokenizer reads, are U+FFFD; any other as it is."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


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


# A line end inside a string of JSON is escaped, so each of these ends a row.
_LINE_END = re.compile("\r\n|\n|\r")
_UNPACK: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ\x00": lzma.decompress,
}
_PACKED = {b"PK\x03\x04": "a zip archive", b"\x28\xb5\x2f\xfd": "compressed with zstd", b"PAR1": "Parquet"}


def _encoded(text: str) -> bytes:
    """Return UTF-8; in JSON the escape of a lone surrogate reads back as it, elsewhere it can be read."""
    return text.encode("utf-8", "backslashreplace")


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ArtifactError(f"no such file: {path}", hint="run the stage that makes it first") from error
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}") from error


def _unpacked(data: bytes, path: str | Path) -> bytes:
    """Return what a compressed file holds, known by its first bytes and not by its name."""
    for start, kind in _PACKED.items():
        if data.startswith(start):
            raise ArtifactError(
                f"{path} is {kind}, not text", hint="unpack it: gzip, bzip2 and xz are read as they are"
            )
    for start, unpack in _UNPACK.items():
        if data.startswith(start):
            try:
                return unpack(data)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
                raise ArtifactError(
                    f"{path}: its compressed data is damaged or cut short ({error})",
                    hint="copy or download it again",
                ) from error
    return data


def json_once(text: str) -> Any:
    """Return the value of a JSON text; raises ValueError for an object that has one key twice.

    Python's reader takes the last of them, other readers the first, and nobody is told.
    """
    return json.loads(text, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(name for name in names if names.count(name) > 1)!r} comes twice")
    return found


def _row(line: str, path: str | Path, number: int) -> dict[str, Any]:
    try:
        row = json_once(line.removeprefix("\ufeff"))  # also within, where files were put together
    except (ValueError, RecursionError) as error:  # ValueError also for a number of too many digits
        what = error.msg if isinstance(error, json.JSONDecodeError) else error
        raise ArtifactError(f"{path}, line {number}: not JSON ({what})", hint=_unreadable(path)) from error
    if not isinstance(row, dict):
        raise ArtifactError(
            f"{path}, line {number}: expected a JSON object, found {type(row).__name__}",
            hint="JSON lines have one object on each line, and no array around them",
        )
    return row


def _unreadable(path: str | Path) -> str:
    """Return what to do about a file that is not JSON lines: it is the user's own, or of a stage."""
    if os.path.lexists(f"{path}.manifest.json"):
        return "the file may have been cut short; delete it and run its stage again"
    return "JSON lines have one object on each line; was the file cut short, or is it of another format?"


def _sync(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):  # of some network file systems
            raise
    finally:
        os.close(handle)


def give_mode(path: Path, most: int = 0o666) -> None:
    """Give a file (0o777: a folder) that was made for its owner's eyes only the mode of the umask, where the
    file system knows modes: exFAT and some network file systems refuse."""
    with suppress(PermissionError):
        path.chmod(default_mode(most))


def default_mode(most: int = 0o666) -> int:
    """Return the permissions that a plain open() gives (0o777: a plain mkdir); temporary files are private.

    The umask is read where the kernel shows it: setting it would be seen by other threads.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        mask = int(status.partition("\nUmask:")[2].split()[0], 8)
    except (OSError, IndexError, ValueError):
        mask = os.umask(0)
        os.umask(mask)
    return most & ~mask
