"""One archive of a study's small artifacts, for another machine to audit and to tabulate: no weights.

The archive is a tar.xz whose bytes depend on the files alone: sorted names, no times, no owners. Its first
member is the index: path, SHA-256 and size of every file, and of those that were left behind. Unpacking
checks names and contents first and then writes each file whole.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import tarfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path, PurePosixPath

from xpflow.artifacts.canonical import canonical
from xpflow.artifacts.io import atomic_write_bytes, atomic_writer
from xpflow.artifacts.left_out import NOTE, left_behind, write_notes
from xpflow.artifacts.manifest import ENDING, FileRecord
from xpflow.errors import ArtifactError

INDEX = "PACK.json"
SCHEMA = 2
READABLE = (1, 2)  # 1 had no list of what was left behind
HEAVY = (".safetensors", ".state", ".npz", ".pt", ".sif")
LEFT_OUT = ("logs", "benchmarks", "parts")
LONG = "selfdata"  # of these files only the manifests
LIMIT = 2 << 30  # bytes that an archive may unpack to
BROKEN = "the archive is damaged or was not made by `xpflow pack`: get it again"


def small_files(folders: Iterable[Path], root: Path) -> list[Path]:
    """Return the files of some folders that a pack holds, relative to `root`, sorted."""
    found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    relative = (path.relative_to(root) for path in found)
    return sorted((path for path in relative if _small(path)), key=lambda path: path.as_posix())


def pack(files: Iterable[Path], root: Path, out: Path) -> list[FileRecord]:
    """Write files (relative to `root`) to an archive, whole or not at all; returns its index."""
    records = [FileRecord.of(root / path, path.as_posix()) for path in files]
    rows = [asdict(one) for one in records]
    left = [asdict(one) for one in left_behind([Path(one.path) for one in records], root)]
    index = canonical({"schema": SCHEMA, "files": rows, "left_out": left})
    with (
        atomic_writer(out) as beside,
        lzma.open(beside, "wb", preset=6) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        _add(archive, INDEX, index)
        for record in records:
            _add(archive, record.path, (root / record.path).read_bytes())
    return records


def unpack(archive: Path, into: Path) -> list[FileRecord]:
    """Write the files of an archive below a folder, and notes of what was left behind; returns its index.

    Raises:
        ArtifactError: it is no archive of ours, a name leads out of the folder, a content is not what the
            index says, or a file is there already with another content. Nothing is written then.
    """
    contents = _contents(archive)
    records, left = _index(archive, contents.pop(INDEX, b""))
    for record in records:
        data = contents.get(record.path)
        if data is None or len(data) != record.size or _sha256(data) != record.sha256:
            raise ArtifactError(f"{archive}: {record.path} is not what the index says", hint=BROKEN)
        target = into / record.path
        if target.exists() and not record.fits(target):
            raise ArtifactError(
                f"{target} is there already, with another content", hint="unpack into another folder"
            )
    if more := sorted(contents.keys() - {record.path for record in records}):
        raise ArtifactError(f"{archive}: {more[0]} is not in the index", hint=BROKEN)
    for record in records:
        atomic_write_bytes(into / record.path, contents[record.path])
    write_notes(left, into)
    return records


def _small(path: Path) -> bool:
    """Return whether a pack holds a file, by its path relative to the root."""
    if path.suffix in HEAVY or path.name == NOTE or set(path.parts) & set(LEFT_OUT):
        return False
    return LONG not in path.parts or path.name.endswith(ENDING)


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o644
    archive.addfile(member, io.BytesIO(data))


def _contents(archive: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    total = 0
    try:
        with lzma.open(archive, "rb") as packed, tarfile.open(fileobj=packed, mode="r|") as members:
            for member in members:
                path, total = PurePosixPath(member.name), total + member.size
                if not member.isfile() or path.is_absolute() or ".." in path.parts or member.name in found:
                    raise ArtifactError(f"{archive}: a member called {member.name!r}", hint=BROKEN)
                if total > LIMIT:
                    raise ArtifactError(f"{archive}: unpacks to more than {LIMIT >> 30} GiB", hint=BROKEN)
                file = members.extractfile(member)
                found[member.name] = file.read() if file else b""
    except FileNotFoundError as error:
        raise ArtifactError(f"no such file: {archive}") from error
    except (lzma.LZMAError, tarfile.TarError, EOFError, OSError) as error:
        raise ArtifactError(f"{archive}: {error}", hint=BROKEN) from error
    return found


def _index(archive: Path, data: bytes) -> tuple[list[FileRecord], list[FileRecord]]:
    """Return the files of an archive and those that were left behind."""
    try:
        index = json.loads(data)
        if index["schema"] not in READABLE:
            raise ValueError(f"schema {index['schema']}")
        files, left = index["files"], index.get("left_out", [])
        if any(PurePosixPath(row["path"]).is_absolute() or ".." in row["path"].split("/") for row in left):
            raise ValueError("a file outside was left behind")
        return [FileRecord(**row) for row in files], [FileRecord(**row) for row in left]
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{archive}: no index ({error})", hint=BROKEN) from error


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
