"""A folder in which checkouts of one machine or cluster share checkpoints, so that each is trained once.

XPFLOW_CACHE names it. An entry is found by what its content depends on: the stage and its settings, the code
behind its command, the content of its inputs, device, precision, and the software that made it (not the
model of the GPU or CPU, which may change last bits: the manifest says which it was). Its files are compared
with its manifest each time they are taken; an entry that does not fit is no entry, and is replaced.

    CACHE/ab/ab12.../NAME.manifest.json    the manifest that the maker left, and its files beside it

What is taken gets a manifest of its own: inputs, command and times of the taker, package and environment of
the maker, and `facts.reused` with the digest of the maker's manifest.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xpflow.artifacts.canonical import digest
from xpflow.artifacts.environment import SHARED_CACHE, environment_facts
from xpflow.artifacts.io import atomic_writer, explained, give_mode
from xpflow.artifacts.manifest import ENDING, FileRecord, Manifest, read_manifest, write_manifest
from xpflow.artifacts.places import at_home
from xpflow.artifacts.record import Record, now
from xpflow.errors import ArtifactError

SCHEMA = 1
LIBRARIES = ("torch", "transformers", "peft", "tokenizers", "safetensors", "numpy")  # may change a weight
_KEY = re.compile(r"([0-9a-f]{2})[0-9a-f]{62}")
_UNFINISHED = re.compile(r"\.([0-9a-f]{2})[0-9a-f]{10}\..+")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: `flaw` says what is wrong with it, and is empty where nothing is."""

    key: str
    manifest: Manifest | None
    flaw: str = ""

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(one.size for one in self.manifest.files) if self.manifest else 0


class SharedCache:
    """The cache in a folder, which need not exist yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> SharedCache | None:
        """Return the cache that XPFLOW_CACHE names, or None."""
        named = environment.get(SHARED_CACHE)
        return cls(at_home(named)) if named else None

    def take(self, record: Record, out: Path, name: str) -> Manifest | None:
        """Put the files that a record's stage would make into a folder, with a manifest; None without them.

        Files are compared as they are copied; the manifest comes last.

        Raises:
            ArtifactError: `out` cannot be written to.
        """
        found = self.entry(key_of(record))
        if found.manifest is None or found.flaw:
            return None
        place = self._place(found.key)
        for one in found.manifest.files:
            if not _copied(place / one.path, out / one.path, one):
                return None
        maker = found.manifest
        reused = {"manifest": maker.digest, "started": maker.started, "ended": maker.ended}
        taken = replace(record.manifest(maker.files), package=maker.package, environment=maker.environment)
        facts = {**maker.facts, **taken.facts, "reused": reused}
        return write_manifest(out / f"{name}{ENDING}", replace(taken, facts=facts, ended=now()))

    def put(self, manifest_path: Path) -> str | None:
        """Add the files of a manifest just written; returns the entry's key, None where it was there already.

        Raises:
            ArtifactError: the cache cannot be written to.
        """
        manifest = read_manifest(manifest_path)
        key = key_of_manifest(manifest)
        if (old := self.entry(key, whole=True)).manifest and not old.flaw:
            return None
        place = self._place(key)
        with explained(place):
            beside = self._beside(key)
        try:
            for one in manifest.files:
                if not _copied(manifest_path.parent / one.path, beside / one.path, one):
                    raise ArtifactError(f"{manifest_path.parent / one.path} changed while it was shared")
            write_manifest(beside / manifest_path.name, manifest)
            with explained(place):
                give_mode(beside, 0o777)
                if place.is_dir():
                    self.remove(key)  # it was damaged
                _rename(beside, place)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        return key

    def entries(self) -> Iterator[Entry]:
        """Yield all entries, each compared with its manifest."""
        for key in self.keys():
            yield self.entry(key, whole=True)

    def keys(self) -> list[str]:
        """Return the keys of all entries; what is not named like one is not ours, and is left alone."""
        return [place.name for place in self._named(_KEY)]

    def entry(self, key: str, whole: bool = False) -> Entry:
        """Return the entry of a key; one that is not there has no manifest and no flaw.

        Sizes are compared, with `whole` contents too.
        """
        place = self._place(key)
        if not place.is_dir():
            return Entry(key, None)
        manifests = sorted(place.glob(f"*{ENDING}"))
        if len(manifests) != 1:
            return Entry(key, None, f"{len(manifests)} manifests")
        try:
            manifest = read_manifest(manifests[0])
        except ArtifactError as error:
            return Entry(key, None, error.message)
        if key_of_manifest(manifest) != key:
            return Entry(key, manifest, "it is of another key")
        for one in manifest.files:
            if not _fits(place / one.path, one, whole):
                return Entry(key, manifest, f"{one.path} is not what its manifest says")
        return Entry(key, manifest)

    def remove(self, key: str) -> None:
        """Remove an entry."""
        place = self._place(key)
        with explained(place):
            gone = self._beside(key)
            os.rename(place, gone / "entry")
        shutil.rmtree(gone, ignore_errors=True)

    def clean(self, older_s: float = 86400.0) -> list[str]:
        """Remove damaged entries, and what killed jobs left half done; returns the keys of the former."""
        damaged = [one.key for one in self.entries() if one.flaw]
        for key in damaged:
            self.remove(key)
        for left in self._named(_UNFINISHED):
            if time.time() - left.stat().st_mtime > older_s:
                shutil.rmtree(left, ignore_errors=True)
        return damaged

    def _named(self, pattern: re.Pattern[str]) -> Iterator[Path]:
        """Yield the folders of a name, each in the folder of the name's first two digits."""
        for place in sorted(self.folder.glob("??/*")):
            found = pattern.fullmatch(place.name)
            if found and found[1] == place.parent.name and place.is_dir() and not place.is_symlink():
                yield place

    def _beside(self, key: str) -> Path:
        """Return a new folder on the file system of an entry, for what is not an entry yet or any more."""
        parent = self._place(key).parent
        parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f".{key[:12]}.", dir=parent))

    def _place(self, key: str) -> Path:
        return self.folder / key[:2] / key


def key_of(record: Record) -> str:
    """Return the key of what a record's stage would make here and now."""
    return key_of_manifest(replace(record.manifest(()), environment=environment_facts()))


def key_of_manifest(manifest: Manifest) -> str:
    """Return the key of what a manifest lists: 64 hexadecimal digits.

    Studies and folders are no part of it: the same stage of two studies is one entry.
    """
    environment, facts = manifest.environment, manifest.facts
    libraries: Mapping[str, Any] = environment.get("libraries", {})
    return digest(
        {
            "schema": SCHEMA,
            "stage": manifest.stage,
            "settings": manifest.config.get("fingerprint"),
            "code": manifest.code,
            "inputs": sorted([one.path.rpartition("/")[2], one.sha256] for one in manifest.inputs),
            "machine": [facts.get("device"), facts.get("dtype"), environment.get("system")],
            "software": {name: libraries.get(name) for name in LIBRARIES},
            "container": environment.get("container"),
        }
    )


def _copied(source: Path, target: Path, record: FileRecord) -> bool:
    """Copy a file, whole or not at all; False, and nothing written, where it is not what a record says."""
    try:
        read = open(source, "rb")  # noqa: SIM115 - closed below; an error of writing is not one of reading
    except OSError:
        return False
    try:
        with read, atomic_writer(target) as beside:
            with open(beside, "wb") as written:
                shutil.copyfileobj(read, written, 1 << 20)
            if not record.fits(beside):
                raise _OtherContentError
    except _OtherContentError:
        return False
    return True


class _OtherContentError(Exception):
    """What was copied is not what was asked for."""


def _fits(file: Path, record: FileRecord, whole: bool) -> bool:
    try:
        return record.fits(file) if whole else file.stat().st_size == record.size
    except OSError:
        return False


def _rename(beside: Path, place: Path) -> None:
    """Give a folder its name; the first of two that come at once stays."""
    try:
        os.rename(beside, place)
    except OSError:
        if not place.is_dir():
            raise
