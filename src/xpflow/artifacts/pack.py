"""One archive of a study's small artifacts, for another machine to audit and to tabulate: no weights.

The archive's bytes depend on the files alone: sorted names, no times, no owners. Its first member is the
index (`pack_index`). Packing compares everything with its manifest first, also what it leaves behind, so that
no pack passes a changed file off as good. Files that no manifest lists are taken: the audit calls them
foreign there as it does here, and a study may hold a reader's notes. Unpacking checks names and contents
first and then writes each file whole.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from xpflow.artifacts.archive import INDEX, INDEX_LIMIT, ArchiveReader, Index, write_archive
from xpflow.artifacts.io import atomic_write_bytes, atomic_writer
from xpflow.artifacts.left_out import (
    left_behind,
    may_be_left,
    note_of,
    studies_of,
    write_notes,
)
from xpflow.artifacts.manifest import ENDING, FileRecord, read_manifest
from xpflow.artifacts.places import FIGURES, RESULTS, absolute
from xpflow.errors import ArtifactError

BROKEN = "the archive is damaged or was not made by `xpflow pack`: get it again"
NAMED = 5  # files that an error names


def study_folders(results: Path) -> tuple[Path, list[Path]]:
    """Return the root of a study, and the folders there that are its own; `results` is results/<study>.

    Raises:
        ArtifactError: there is no such folder, or it is not called so.
    """
    folder = absolute(results)  # links are not followed: results/ may lie on another disk
    if not folder.is_dir():
        raise ArtifactError(f"no such folder: {results}", hint=f"name a study's folder, {RESULTS}/<study>")
    if folder.parent.name != RESULTS:
        raise ArtifactError(
            f"{results} is no folder of a study", hint=f"a study's folder is {RESULTS}/<study>"
        )
    root = folder.parent.parent
    return root, [one for one in (folder, root / FIGURES / folder.name) if one.is_dir()]


def small_files(folders: Iterable[Path], root: Path) -> list[Path]:
    """Return the files of some folders that a pack holds, relative to `root`, sorted.

    Raises:
        ArtifactError: one is a link, or no file at all: what a link leads to is not the study's.
    """
    found = (path for path in _walk(folders, root) if not may_be_left(path.as_posix()))
    return sorted(found, key=lambda path: path.as_posix())


def foreign_files(folders: Iterable[Path], root: Path) -> list[str]:
    """Return the files of some folders that no manifest lists, large ones too."""
    there = {path.as_posix() for path in _walk(folders, root)}
    manifests = {path for path in there if path.endswith(ENDING)}
    spoken = {
        f"{path.rpartition('/')[0]}/{one.path}"
        for path in manifests
        for one in read_manifest(root / path).files
    }
    return sorted(there - manifests - spoken)


def checked_index(files: Iterable[Path], root: Path) -> Index:
    """Return the index of a pack of some files (relative to `root`), each as it is now.

    Raises:
        ArtifactError: there are none, a path cannot be packed, or a file is not what its manifest lists,
            be it one of `files` or one that would be left behind.
    """
    taken = list(files)
    if not taken:
        raise ArtifactError("there is nothing to pack", hint="run the study first")
    try:
        records = [FileRecord.of(root / path, path.as_posix()) for path in taken]
        index = Index(tuple(records), tuple(left_behind(taken, root)))
        index.check()
    except (OSError, ValueError) as error:
        raise ArtifactError(f"cannot be packed: {error}", hint="rename it, or take it away") from error
    if altered := _altered(index, root):
        more = f" and {len(altered) - NAMED} more" if len(altered) > NAMED else ""
        raise ArtifactError(
            f"not what their manifests list: {', '.join(altered[:NAMED])}{more}",
            hint=f"`xpflow audit {RESULTS}/{index.studies[0]}` says more; nothing was written",
        )
    return index


def pack(files: Iterable[Path], root: Path, out: Path) -> list[FileRecord]:
    """Write files (relative to `root`) to an archive, whole or not at all; returns its index.

    Raises:
        ArtifactError: a file is not what its manifest lists, or changes meanwhile; a name has no room in
            the archive; the archive cannot be written.
    """
    index = checked_index(files, root)
    if out.is_dir():
        raise ArtifactError(f"{out} is a folder", hint="name the archive to write: --out NAME.tar.xz")
    try:
        with atomic_writer(out) as beside:
            write_archive(beside, _members(index, root))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"cannot write {out}: {error}") from error
    return list(index.files)


def unpack(archive: Path, into: Path) -> list[FileRecord]:
    """Write the files of an archive below a folder, and notes of what was left behind; returns its index.

    Notes that are there already are written again.

    Raises:
        ArtifactError: it is no archive of ours, a file belongs elsewhere than in a study's folders, a content
            is not what the index says, or something else is there already. Nothing is written then.
    """
    index, contents = _contents(archive)
    try:
        _check_room(index, into)
    except OSError as error:
        raise ArtifactError(f"cannot unpack into {into}: {error}", hint="use another folder") from error
    for record in index.files:
        atomic_write_bytes(into / record.path, contents[record.path])
    write_notes(index.left_out, index.studies, into)
    return list(index.files)


def _walk(folders: Iterable[Path], root: Path) -> Iterator[Path]:
    """Yield files below some folders, relative to `root`: no notes, no folders that no pack takes."""

    def fail(error: OSError) -> None:
        raise ArtifactError(f"cannot read {error.filename}: {error.strerror}") from error

    for folder in folders:
        for here, names, files in os.walk(folder, onerror=fail):
            inside = Path(here).relative_to(root)
            names[:] = [one for one in names if not may_be_left((inside / one / f"x{ENDING}").as_posix())]
            for name in (*names, *files):
                path, place = Path(here, name), (inside / name).as_posix()
                plain = not path.is_symlink() and (path.is_file() or path.is_dir())
                if not plain and not may_be_left(place):
                    raise ArtifactError(
                        f"{place} is a link, or no file", hint="put the file itself there, or remove it"
                    )
                if name in files and place not in map(note_of, studies_of([place])):
                    yield inside / name


def _altered(index: Index, root: Path) -> list[str]:
    """Return the files that are not what the manifests in an index list."""
    now = {one.path: (one.sha256, one.size) for one in (*index.files, *index.left_out)}
    found: dict[str, None] = {}
    for path in (one.path for one in index.files if one.path.endswith(ENDING)):
        for made in read_manifest(root / path).files:
            place = f"{path.rpartition('/')[0]}/{made.path}"
            if now.get(place, (made.sha256, made.size)) != (made.sha256, made.size):
                found[place] = None
    return list(found)


def _members(index: Index, root: Path) -> Iterator[tuple[str, bytes]]:
    listed = index.to_bytes()
    if len(listed) > INDEX_LIMIT:
        raise ValueError(f"{len(index.files)} files are more than an index holds")
    yield INDEX, listed
    for record in index.files:
        data = (root / record.path).read_bytes()
        if not _is(data, record):
            raise ArtifactError(f"{record.path} changed while it was packed", hint="let the study end first")
        yield record.path, data


def _contents(archive: Path) -> tuple[Index, dict[str, bytes]]:
    """Return the index of an archive and the content of each file in it, compared with each other."""
    contents: dict[str, bytes] = {}
    try:
        with archive.open("rb") as file:
            reader = ArchiveReader(file)
            index = Index.from_bytes(reader.member(INDEX, limit=INDEX_LIMIT))
            for record in index.files:
                contents[record.path] = reader.member(record.path, record.size)
                if not _is(contents[record.path], record):
                    raise ValueError(f"{record.path} is not what the index says")
            reader.end()
    except FileNotFoundError as error:
        raise ArtifactError(f"no such file: {archive}") from error
    except (lzma.LZMAError, tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise ArtifactError(f"{archive}: {error}", hint=BROKEN) from error
    return index, contents


def _check_room(index: Index, into: Path) -> None:
    """Raise ArtifactError where something else is at the place of a file, of its note, or of a folder."""
    hint = "unpack into another folder"
    targets = [*(one.path for one in index.files), *map(note_of, index.studies)]
    above = {into / parent for path in targets for parent in PurePosixPath(path).parents}
    for folder in sorted(above):
        if os.path.lexists(folder) and not folder.is_dir():
            raise ArtifactError(f"{folder} is there already, and no folder", hint=hint)
    for path in targets:
        if os.path.lexists(into / path) and not (into / path).is_file():
            raise ArtifactError(f"{into / path} is there already, and no file", hint=hint)
    for record in index.files:
        if (into / record.path).exists() and not record.fits(into / record.path):
            raise ArtifactError(f"{into / record.path} is there already, with another content", hint=hint)


def _is(data: bytes, record: FileRecord) -> bool:
    return len(data) == record.size and hashlib.sha256(data).hexdigest() == record.sha256
