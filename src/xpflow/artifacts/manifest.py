"""Manifests: what an artifact is and where it came from, in a file beside it.

A manifest is `NAME.manifest.json` in the folder of the files that it speaks for: NAME is the file's own, or
the command's where one command writes several files into a folder. Its bytes are the canonical JSON (RFC
8785) of its fields and a line end, and one field is the digest of all others, so that no byte of it can
change unseen. Paths of files are relative to the manifest, paths of inputs to the folder that the command
ran in; none is absolute.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from xpflow.artifacts.canonical import canonical, digest
from xpflow.artifacts.io import atomic_write_bytes, sha256_file
from xpflow.errors import ArtifactError

SCHEMA = 1
ENDING = ".manifest.json"
CHANGED = "it was changed after it was made: restore it, or remove it and run its stage again"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file by its content; `path` is relative, with forward slashes."""

    path: str
    sha256: str
    size: int

    @classmethod
    def of(cls, file: Path, path: str) -> FileRecord:
        """Return the record of a file as it is now."""
        return cls(path, sha256_file(file), file.stat().st_size)

    def fits(self, file: Path) -> bool:
        """Return whether a file has this content."""
        return file.stat().st_size == self.size and sha256_file(file) == self.sha256


@dataclass(frozen=True, slots=True)
class InputRecord:
    """A file that was read; `manifest` is its own manifest's digest, `record` that manifest where the file
    is temporary."""

    path: str
    sha256: str
    size: int
    manifest: str | None = None
    record: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """What made some files: `stage` names command and wildcards, `config` and `code` are fingerprints.

    `facts` hold what only some stages have: seeds, protocol, device, dtype, model and data hashes.
    """

    files: tuple[FileRecord, ...]
    stage: dict[str, Any]
    command: tuple[str, ...]
    config: dict[str, Any]
    code: str
    inputs: tuple[InputRecord, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    package: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    started: str = ""
    ended: str = ""
    schema: int = SCHEMA
    digest: str = ""

    def sealed(self) -> Manifest:
        """Return the manifest with its digest."""
        return replace(self, digest=digest(self._unsealed()))

    def to_bytes(self) -> bytes:
        """Return the file's bytes."""
        return canonical(asdict(self)) + b"\n"

    def _unsealed(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "digest"}

    @classmethod
    def from_fields(cls, found: Mapping[str, Any]) -> Manifest:
        """Return the manifest of a parsed file; KeyError, TypeError or ValueError for another shape."""
        expected = {one.name for one in fields(cls)}
        if set(found) != expected or found["schema"] != SCHEMA:
            raise ValueError(f"not a manifest of schema {SCHEMA}")
        return cls(
            **{
                **found,
                "files": tuple(FileRecord(**one) for one in found["files"]),
                "inputs": tuple(InputRecord(**one) for one in found["inputs"]),
                "command": tuple(found["command"]),
            }
        )


def write_manifest(path: Path, manifest: Manifest) -> Manifest:
    """Seal a manifest and write it, whole or not at all; returns it sealed."""
    sealed = manifest.sealed()
    atomic_write_bytes(path, sealed.to_bytes())
    return sealed


def read_manifest(path: Path) -> Manifest:
    """Read a manifest; raises ArtifactError where it is absent, of another shape, or changed by one byte."""
    try:
        data = path.read_bytes()
        manifest = Manifest.from_fields(json.loads(data))
    except FileNotFoundError as error:
        raise ArtifactError(f"no such manifest: {path}", hint="`xpflow audit` says what it knows") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArtifactError(f"{path}: no manifest of ours ({error})", hint=CHANGED) from error
    if manifest.sealed().to_bytes() != data:
        raise ArtifactError(f"{path}: the manifest does not fit its own digest", hint=CHANGED)
    return manifest


def manifest_of(file: Path) -> tuple[Path, FileRecord, Manifest] | None:
    """Return (path of the manifest that speaks for a file, the file's record, the manifest), or None."""
    own = file.with_name(file.name + ENDING)
    others = sorted(path for path in file.parent.glob(f"*{ENDING}") if path != own)
    for path in [own, *others] if own.exists() else others:
        manifest = read_manifest(path)
        for record in manifest.files:
            if record.path == file.name:
                return path, record, manifest
    return None


def checked(file: Path) -> tuple[FileRecord, Manifest | None]:
    """Return a file's record and its manifest (None where it has none).

    Raises:
        ArtifactError: the file is absent, or its bytes are not those that its manifest speaks of.
    """
    if not file.is_file():
        raise ArtifactError(f"no such file: {file}", hint="run the stage that makes it first")
    found, now = manifest_of(file), FileRecord.of(file, file.name)
    if found is None:
        return now, None
    if found[1] != now:
        raise ArtifactError(f"{file} is not the file that {found[0].name} speaks of", hint=CHANGED)
    return now, found[2]


def files_below(paths: Sequence[Path]) -> list[Path]:
    """Return files and the files directly in folders, without manifests, in a fixed order."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        found += [file for file in inside if file.is_file() and not file.name.endswith(ENDING)]
    return found
