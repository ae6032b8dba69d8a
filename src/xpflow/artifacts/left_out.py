"""What a pack leaves behind, weights above all: named by path, SHA-256 and size.

The archive's index lists these files as they were when it was made, not as their manifests have them: a list
that repeated the manifests would excuse a file that was changed. Unpacking writes the list beside the study
as `left-out.json`, so that an audit knows a file that was left behind from one that is missing. Like a
manifest the note carries the digest of its own content; it is refused where it lists what a pack takes, so
that nobody can excuse the loss of a small file by it. It does not stop who writes a note of weights that
never were: only what a manifest says of them, and has the same hash, is excused.

Lists that came from elsewhere, a note or an archive's index, are checked before they are believed: the form
of paths, hashes and sizes (`flaw`, `record_of`), and that all paths can be files of one folder (`clash`).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

from xpflow.artifacts.canonical import canonical, digest
from xpflow.artifacts.io import atomic_write_bytes
from xpflow.artifacts.manifest import ENDING, FileRecord, Manifest, read_manifest
from xpflow.artifacts.places import FIGURES, LOGS, NOT_HERE, PARTS, RESULTS, SELFDATA, TIMES, is_plain
from xpflow.errors import ArtifactError

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


NOTE = "left-out.json"
SCHEMA = 1
HEAVY = (".safetensors", ".state", ".npz", ".pt", ".pth", ".ckpt", ".bin", ".distcp", ".sif")
UNFINISHED = ".state.shards"  # a folder with the state of a training by several processes
NO_ARTIFACTS = (LOGS, TIMES)


def may_be_left(path: str, study: str = "") -> bool:
    """Return whether a pack would ever leave out a file, by its path relative to the root.

    A pack holds results/<study> and paper_figures/<study>, but not what is large there. Files of any other
    folder stay. Without `study`, every folder in results/ and paper_figures/ counts as the one that was
    packed: it is then stricter with what a study read of another one's folder. A path that no list may hold
    (`flaw`) is never left out.
    """
    parts = PurePosixPath(path).parts if not flaw(path) else ()
    if not parts or parts[0] in NOT_HERE or parts in ((RESULTS,), (FIGURES,)):
        return False
    if parts[0] not in (RESULTS, FIGURES) or (study and parts[1] != study):
        return True
    if len(parts) == 2:
        return not study
    first, second = parts[2], parts[3] if len(parts) > 4 else ""  # folders of the study, and of a model
    if len(parts) > 3 and first in NO_ARTIFACTS:
        return True
    # of a model's own answers a pack has the manifests
    long = second == SELFDATA and not path.endswith(ENDING)
    state = any(folder.endswith(UNFINISHED) for folder in parts[:-1])
    return second == PARTS or long or state or PurePosixPath(path).suffix in HEAVY


def note_of(study: str) -> str:
    """Return where a study's note lies, relative to the root."""
    return f"{RESULTS}/{study}/{NOTE}"


def studies_of(paths: Iterable[str]) -> list[str]:
    """Return the names of the studies whose folders some files lie in."""
    return sorted({parts[1] for path in paths if len(parts := PurePosixPath(path).parts) > 2})


def left_behind(files: Iterable[Path], root: Path) -> list[FileRecord]:
    """Return the files that the manifests among `files` list, that are there, and are none of `files`:
    what they are of, and what was read from other folders. Each is recorded as it is now.

    Paths are relative to `root`. What an earlier pack left behind stays on the list.

    Raises:
        ArtifactError: a manifest or a note is not what was written, or names a path that leads elsewhere.
    """
    taken = {path.as_posix() for path in files}
    noted = {
        one.path: one
        for study in studies_of(taken)
        for one in read_note(root / RESULTS / study)
        if one.path not in taken
    }
    spoken = {
        place
        for path in sorted(taken)
        if path.endswith(ENDING)
        for place in _spoken_of(path, read_manifest(root / path))
    }
    there = {path for path in (spoken | noted.keys()) - taken if (root / path).is_file()}
    found = noted | {path: FileRecord.of(root / path, path) for path in there}
    return [found[path] for path in sorted(found)]


def _spoken_of(path: str, manifest: Manifest) -> Iterator[str]:
    """Yield the paths of what a manifest is of, and of what stays of what was read for it."""
    folder, inputs = path.rpartition("/")[0], (one.path for one in manifest.inputs if one.record is None)
    read = [one for one in inputs if PurePosixPath(one).parts[0] not in NOT_HERE]
    for one in [*(one.path for one in manifest.files), *read]:
        if why := flaw(one):
            raise ArtifactError(
                f"{path} lists {shown(one)}, which {why}",
                hint="give the file another name, and run again what reads it",
            )
    yield from (f"{folder}/{one.path}" for one in manifest.files)
    yield from read


def write_notes(records: Sequence[FileRecord], studies: Iterable[str], into: Path) -> list[Path]:
    """Write the note of each study, results/<study>/left-out.json, with all files that were left behind."""
    fields = {"schema": SCHEMA, "left_out": [asdict(one) for one in records]}
    data = canonical({**fields, "digest": digest(fields)}) + b"\n"
    paths = [into / note_of(study) for study in studies] if records else []
    for path in paths:
        atomic_write_bytes(path, data)
    return paths


def absent(folder: Path, root: Path) -> dict[str, str]:
    """Return path and SHA-256 of the files on a study's note that are not there, relative to `root`."""
    return {one.path: one.sha256 for one in read_note(folder) if not os.path.exists(root / one.path)}


def read_note(folder: Path) -> list[FileRecord]:
    """Return what the note of a study's folder lists, nothing where there is none.

    Raises:
        ArtifactError: it was changed, or lists what a pack takes.
    """
    study = folder.absolute().name
    try:
        data = (folder / NOTE).read_bytes()
        fields = parsed(data)
        records = [record_of(row) for row in fields["left_out"]]
        stated = fields.pop("digest")
        if stated != digest(fields) or canonical({**fields, "digest": stated}) + b"\n" != data:
            raise ValueError("it does not fit its own digest")
        if excused := [one.path for one in records if not may_be_left(one.path, study)]:
            raise ValueError(f"no pack leaves out {shown(excused[0])}")
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError, OSError, RecursionError) as error:
        raise ArtifactError(
            f"{folder / NOTE}: {error}", hint="it was changed: unpack the archive again"
        ) from error
    return records
