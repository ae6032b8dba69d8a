"""The index of a pack: path, SHA-256 and size of every file in it, and of those that were left behind.

Whatever `check` lets pass can be unpacked: each path is one that a pack takes or leaves, no two are in each
other's way, and the whole is small enough. Packing checks what it is about to write by the same rules.
"""

from __future__ import annotations

import tarfile
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath

from xpflow.artifacts.canonical import canonical
from xpflow.artifacts.left_out import may_be_left, note_of, studies_of
from xpflow.artifacts.listing import clash, flaw, parsed, record_of, shown
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
