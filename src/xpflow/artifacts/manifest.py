"""Manifests: what an artifact is and where it came from, in a file beside it.

A manifest is `NAME.manifest.json` in the folder of the files that it lists: NAME is the file's own, or
the command's where one command writes several files into a folder. Its bytes are the canonical JSON (RFC
8785) of its fields and a line end, and one field is the digest of all others, so that no byte of it can
change unseen. Paths of files are relative to the manifest, paths of inputs to the folder that the command
ran in; none is absolute.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from xpflow.artifacts.canonical import canonical, digest
from xpflow.artifacts.io import atomic_write_bytes, sha256_file
from xpflow.artifacts.places import is_plain
from xpflow.errors import ArtifactError

SCHEMA = 1
ENDING = ".manifest.json"
LIMIT = 1 << 26  # bytes of a manifest
CHANGED = "it was changed after it was made: restore it, or remove it and run its stage again"


def _relative(path: str) -> str:
    if not is_plain(path):
        raise ValueError("no relative path in its shortest form")
    return path


def _name(path: str) -> str:
    if "/" in _relative(path):
        raise ValueError("no name of a file beside the manifest")
    return path


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Size = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file by its content; `path` is relative, with forward slashes."""

    path: Annotated[str, AfterValidator(_name)]
    sha256: Sha256
    size: Size

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

    path: Annotated[str, AfterValidator(_relative)]
    sha256: Sha256
    size: Size
    manifest: Sha256 | None = None
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

    def shards(self) -> list[Manifest]:
        """Return the manifests that this one holds; they were compared when it was read."""
        return [_adapter().validate_python(one.record) for one in self.inputs if one.record]

    @classmethod
    def from_fields(cls, found: Mapping[str, Any]) -> Manifest:
        """Return the manifest that another holds as the record of a temporary file.

        Raises:
            ArtifactError: it has another shape, or does not fit its own digest.
        """
        try:
            manifest = _adapter().validate_python(found)
        except (ValueError, TypeError, RecursionError) as error:
            raise ArtifactError(f"no manifest of ours ({_said(error)})", hint=CHANGED) from error
        if manifest.sealed().digest != manifest.digest:
            raise ArtifactError("a manifest in a manifest does not fit its own digest", hint=CHANGED)
        return _whole(manifest, "a manifest in a manifest")


def write_manifest(path: Path, manifest: Manifest) -> Manifest:
    """Seal a manifest and write it, whole or not at all; returns it sealed."""
    sealed = manifest.sealed()
    atomic_write_bytes(path, sealed.to_bytes())
    return sealed


def read_manifest(path: Path) -> Manifest:
    """Read a manifest; raises ArtifactError where it is absent, unreadable, of another shape, or changed by
    one byte."""
    try:
        data = _bytes_of(path)
        manifest = _adapter().validate_json(data, strict=True)
        fits = _sealed_bytes(asdict(manifest)) == data
    except FileNotFoundError as error:
        raise ArtifactError(f"no such manifest: {path}", hint="`xpflow audit` says what it knows") from error
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise ArtifactError(f"{path}: no manifest of ours ({_said(error)})", hint=CHANGED) from error
    if not fits:
        raise ArtifactError(f"{path}: the manifest does not fit its own digest", hint=CHANGED)
    return _whole(manifest, str(path))


def _sealed_bytes(fields: dict[str, Any]) -> bytes:
    """Return the bytes of a manifest whose digest is what it should be."""
    unsealed = {name: value for name, value in fields.items() if name != "digest"}
    return canonical({**unsealed, "digest": digest(unsealed)}) + b"\n"


def _bytes_of(path: Path) -> bytes:
    size = path.stat().st_size
    if not path.is_file() or size > LIMIT:  # a pipe never ends, nor does a device
        raise ValueError("no file" if not path.is_file() else f"{size} bytes, at most {LIMIT}")
    return path.read_bytes()


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter[Manifest]:
    return TypeAdapter(Manifest)


def _whole(manifest: Manifest, where: str) -> Manifest:
    """Return a manifest whose fields have their shapes, and whose records of others are what they say."""
    git, command = manifest.package.get("git"), manifest.stage.get("command")
    shaped = isinstance(command, str) and isinstance(git, dict | None)
    shaped = shaped and isinstance(manifest.facts.get("unpinned", []), list)
    shaped = shaped and isinstance(manifest.environment.get("libraries", {}), dict)
    if manifest.schema != SCHEMA or not shaped:
        raise ArtifactError(f"{where}: not a manifest of schema {SCHEMA}", hint=CHANGED)
    for one in manifest.inputs:
        made = Manifest.from_fields(one.record) if one.record is not None else None
        if made and (made.digest != one.manifest or all(file.sha256 != one.sha256 for file in made.files)):
            raise ArtifactError(
                f"{where}: what it says of {one.path} is not that file's manifest", hint=CHANGED
            )
    return manifest


def _said(error: Exception) -> str:
    """Return the first thing that is wrong, in one line."""
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return f"{type(error).__name__}: {error}"


def manifest_of(file: Path) -> tuple[Path, FileRecord, Manifest] | None:
    """Return (path of the manifest that lists a file, the file's record, the manifest), or None."""
    own = file.with_name(file.name + ENDING)
    others = sorted(path for path in file.parent.glob(f"*{ENDING}") if path != own)
    for path in [own, *others] if os.path.lexists(own) else others:
        manifest = read_manifest(path)
        for record in manifest.files:
            if record.path == file.name:
                return path, record, manifest
    return None


def checked(file: Path) -> tuple[FileRecord, Manifest | None]:
    """Return a file's record and its manifest (None where it has none).

    Raises:
        ArtifactError: the file is absent, or its bytes are not those that its manifest lists.
    """
    if not file.is_file():
        raise ArtifactError(f"no such file: {file}", hint="run the stage that makes it first")
    try:
        found, now = manifest_of(file), FileRecord.of(file, file.name)
    except OSError as error:
        raise ArtifactError(f"{file} cannot be read: {error.strerror}") from error
    if found is None:
        return now, None
    if found[1] != now:
        raise ArtifactError(f"{file} is not the file that {found[0].name} lists", hint=CHANGED)
    return now, found[2]


def files_below(paths: Sequence[Path]) -> list[Path]:
    """Return files and the files directly in folders, without manifests, in a fixed order."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        found += [file for file in inside if file.is_file() and not file.name.endswith(ENDING)]
    return found
