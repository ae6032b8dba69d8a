"""The form of a pack: an index of its files and of those left behind, then the files, in a tar of xz.

The bytes depend on the files alone: sorted names, no times, no owners; USTAR headers of plain files and
nothing else. The reader is told which member comes next and how large it is, and takes no other: an archive
holds what its index lists and never more, whatever the compressed data would grow to. Whatever `Index.check`
lets pass can be unpacked: each path is one that a pack takes or leaves, no two are in each other's way, and
the whole is small enough. Packing checks what it is about to write by the same rules.
"""

from __future__ import annotations

import io
import lzma
import tarfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from xpflow.artifacts.canonical import canonical
from xpflow.artifacts.left_out import clash, flaw, may_be_left, note_of, parsed, record_of, shown, studies_of
from xpflow.artifacts.manifest import FileRecord
from xpflow.artifacts.places import FIGURES, RESULTS

INDEX = "PACK.json"  # the archive's first member
SCHEMA = 2
READABLE = (1, 2)  # 1 had no list of what was left behind
LIMIT = 2 << 30  # bytes that an archive may unpack to
INDEX_LIMIT = 64 << 20


@dataclass(frozen=True, slots=True)
class Index:
    """The files of an archive in the order that they have there, and what was left behind."""

    files: tuple[FileRecord, ...]
    left_out: tuple[FileRecord, ...] = ()

    @classmethod
    def from_bytes(cls, data: bytes) -> Index:
        """Return the index that some bytes hold; ValueError for one that `xpflow pack` would not write."""
        fields = parsed(data)
        if fields.get("schema") not in READABLE or not isinstance(fields.get("files"), list):
            raise ValueError(f"no index of schema {SCHEMA}")
        left = fields.get("left_out", [])
        if not isinstance(left, list):
            raise ValueError("no list of what was left behind")
        index = cls(tuple(map(record_of, fields["files"])), tuple(map(record_of, left)))
        index.check()
        return index

    def to_bytes(self) -> bytes:
        """Return the bytes of the index."""
        rows, left = [asdict(one) for one in self.files], [asdict(one) for one in self.left_out]
        return canonical({"schema": SCHEMA, "files": rows, "left_out": left})

    @property
    def studies(self) -> list[str]:
        """The names of the studies that the files are of."""
        return studies_of(one.path for one in self.files)

    def check(self) -> None:
        """Raise ValueError where a path is none of a pack, two cannot be there at once, or it is too much."""
        notes = [note_of(study) for study in self.studies]
        for one in self.files:
            if why := _no_place(one.path):
                raise ValueError(f"{shown(one.path)} {why}")
        for one in self.left_out:
            if not all(may_be_left(one.path, study) for study in self.studies or [""]):
                why = flaw(one.path) or "is none that a pack leaves"
                raise ValueError(f"a file outside was left behind: {shown(one.path)} {why}")
        paths = [*(one.path for one in (*self.files, *self.left_out)), *notes]
        if twice := clash(paths):
            raise ValueError(f"{shown(twice)} is there twice, or below a file")
        if sum(map(_blocks, self.files)) > LIMIT:
            raise ValueError(f"its files are more than {LIMIT >> 30} GiB")


def _no_place(path: str) -> str:
    """Return why no pack holds such a file, or nothing."""
    parts = PurePosixPath(path).parts
    if why := flaw(path):
        return why
    if len(parts) < 3 or parts[0] not in (RESULTS, FIGURES):
        return f"is outside of {RESULTS}/<study>/ and {FIGURES}/<study>/"
    if ".git" in map(str.lower, parts):  # git runs what such a folder's configuration names
        return "belongs to a git repository"
    return ""


def _blocks(record: FileRecord) -> int:
    """Return the bytes that a file takes in an archive."""
    return tarfile.BLOCKSIZE * (1 + -(-record.size // tarfile.BLOCKSIZE))


CHUNK = 1 << 16  # compressed bytes that are read at once
MEMORY = 128 << 20  # bytes for the decompressor: what xz -9 takes, twice
ENCODING = "utf-8"


def write_archive(out: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """Write files by name and content; ValueError for a name that no header has room for."""
    with (
        lzma.open(out, "wb", preset=6) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT, encoding=ENCODING) as archive,
    ):
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))


class ArchiveReader:
    """The members of an archive, one after the other.

    All methods raise ValueError, EOFError, lzma.LZMAError or tarfile.TarError for what is no such archive.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._xz = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=MEMORY)

    def member(self, name: str, size: int | None = None, limit: int = 0) -> bytes:
        """Return the content of the next member: it has this name and size, or any size up to a limit."""
        header = tarfile.TarInfo.frombuf(self._read(tarfile.BLOCKSIZE), ENCODING, "surrogateescape")
        if header.name != name or header.type != tarfile.REGTYPE:
            kind = header.type.decode("ascii", "backslashreplace")
            raise ValueError(
                f"a member called {header.name[:120]!r} (type {kind!r}), where {name!r} should be"
            )
        if not 0 <= header.size <= (limit if size is None else size) or size not in (None, header.size):
            raise ValueError(f"{name!r} has {header.size} bytes, not {limit if size is None else size}")
        data = self._read(header.size)
        self._read(-header.size % tarfile.BLOCKSIZE)
        return data

    def end(self) -> None:
        """Read to the end: only padding may follow."""
        padding = 0
        while not self._xz.eof:
            more = self._more(tarfile.RECORDSIZE)
            padding += len(more)
            if more.strip(b"\0") or padding > 2 * tarfile.RECORDSIZE:
                raise ValueError("it holds more than its index lists")
        if self._xz.unused_data or self._file.read(1):
            raise ValueError("something follows the end of the archive")

    def _read(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            if self._xz.eof:
                raise EOFError("it ends too early")
            parts.append(self._more(size))
            size -= len(parts[-1])
        return b"".join(parts)

    def _more(self, most: int) -> bytes:
        fed = self._file.read(CHUNK) if self._xz.needs_input else b""
        if self._xz.needs_input and not fed:
            raise EOFError("it is cut short")
        return self._xz.decompress(fed, max_length=most)
