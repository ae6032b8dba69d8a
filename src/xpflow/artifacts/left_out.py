"""What a pack leaves behind, weights above all: named by path, SHA-256 and size.

The archive's index lists these files, and unpacking writes the list beside the study as `left-out.json`, so
that an audit knows a file that was left behind from one that is missing. Like a manifest it carries the
digest of its own content.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from xpflow.artifacts.canonical import canonical, digest
from xpflow.artifacts.io import atomic_write_bytes
from xpflow.artifacts.manifest import ENDING, FileRecord, read_manifest
from xpflow.errors import ArtifactError

NOTE = "left-out.json"
SCHEMA = 1


def left_behind(files: Iterable[Path], root: Path) -> list[FileRecord]:
    """Return the files that the manifests among `files` speak of, that are there, and are none of `files`.

    Paths are relative to `root`. What an earlier pack left behind stays on the list.
    """
    taken = set(files)
    found: dict[str, FileRecord] = {}
    for folder in {path.parents[-3] for path in taken if len(path.parts) > 2}:
        found |= {one.path: one for one in read_note(root / folder)}
    for path in sorted(taken):
        if not path.name.endswith(ENDING):
            continue
        for one in read_manifest(root / path).files:
            place = path.parent / one.path
            if place not in taken and (root / place).is_file():
                found[place.as_posix()] = FileRecord(place.as_posix(), one.sha256, one.size)
    return [found[path] for path in sorted(found)]


def write_notes(records: Sequence[FileRecord], into: Path) -> list[Path]:
    """Write the note of each study, results/<study>/left-out.json, whose files were left behind."""
    studies: dict[Path, list[FileRecord]] = {}
    for one in records:
        studies.setdefault(Path(*Path(one.path).parts[:2]), []).append(one)
    for folder, rows in studies.items():
        fields = {"schema": SCHEMA, "left_out": [asdict(one) for one in rows]}
        atomic_write_bytes(into / folder / NOTE, canonical({**fields, "digest": digest(fields)}) + b"\n")
    return [into / folder / NOTE for folder in studies]


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
