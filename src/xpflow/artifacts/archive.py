"""A tar.xz of plain files, written so that its bytes depend on them alone, and read without trust.

Members are files with USTAR headers and nothing else: no folders, links or extension headers. The reader is
told which member comes next and how large it is, and takes no other; so it holds what was announced and never
more, whatever the compressed data would grow to.
"""

from __future__ import annotations

import io
import lzma
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

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
