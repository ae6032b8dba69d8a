"""What a pack leaves behind, weights above all: named by path, SHA-256 and size.

The archive's index lists these files, and unpacking writes the list beside the study as `left-out.json`, so
that an audit knows a file that was left behind from one that is missing. Like a manifest it carries the
digest of its own content.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from xpflow.artifacts.canonical import canonical, digest
from xpflow.artifacts.io import atomic_write_bytes
from xpflow.artifacts.manifest import ENDING, FileRecord, Manifest, read_manifest
from xpflow.errors import ArtifactError

NOTE = "left-out.json"
SCHEMA = 1
STUDIES = "results"


def left_behind(files: Iterable[Path], root: Path) -> list[FileRecord]:
    """Return the files that the manifests among `files` speak of, that are there, and are none of `files`:
    what they are of, and what was read from other folders.

    Paths are relative to `root`. What an earlier pack left behind stays on the list.
    """
    taken = set(files)
    found: dict[str, FileRecord] = {}
    for folder in {path.parents[-3] for path in taken if len(path.parts) > 2}:
        found |= {one.path: one for one in read_note(root / folder)}
    for path in sorted(taken):
        if path.name.endswith(ENDING):
            for one in _spoken_of(path, read_manifest(root / path)):
                if Path(one.path) not in taken and (root / one.path).is_file():
                    found[one.path] = one
    return [found[path] for path in sorted(found)]


def _spoken_of(path: Path, manifest: Manifest) -> Iterator[FileRecord]:
    for made in manifest.files:
        yield FileRecord((path.parent / made.path).as_posix(), made.sha256, made.size)
    for read in manifest.inputs:
        if not read.path.startswith(("package/", "outside/")) and read.record is None:
            yield FileRecord(read.path, read.sha256, read.size)


def write_notes(records: Sequence[FileRecord], into: Path) -> list[Path]:
    """Write the note of each study, results/<study>/left-out.json, with the files that were left behind.

    Files outside of the studies' folders, as their configurations, are in every note.
    """
    studies: dict[Path, list[FileRecord]] = {}
    others = [one for one in records if Path(one.path).parts[0] != STUDIES]
    for one in records:
        if one not in others:
            studies.setdefault(Path(*Path(one.path).parts[:2]), list(others)).append(one)
    for folder, rows in studies.items():
        fields = {"schema": SCHEMA, "left_out": [asdict(one) for one in rows]}
        atomic_write_bytes(into / folder / NOTE, canonical({**fields, "digest": digest(fields)}) + b"\n")
    return [into / folder / NOTE for folder in studies]


def absent(folder: Path, root: Path) -> dict[str, str]:
    """Return path and SHA-256 of the files on a study's note that are not there, relative to `root`."""
    return {one.path: one.sha256 for one in read_note(folder) if not (root / one.path).exists()}


def read_note(folder: Path) -> list[FileRecord]:
    """Return what a study's note lists, nothing where there is none; ArtifactError for a changed one."""
    try:
        data = (folder / NOTE).read_bytes()
        fields = json.loads(data)
        records = [FileRecord(**row) for row in fields["left_out"]]
        stated = fields.pop("digest")
        if stated != digest(fields) or canonical({**fields, "digest": stated}) + b"\n" != data:
            raise ValueError("it does not fit its own digest")
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(
            f"{folder / NOTE}: {error}", hint="it was changed: unpack the archive again"
        ) from error
    return records
