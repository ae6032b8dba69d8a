"""Fetching a pinned repository: access, revision and disk space first, then the download, then every hash.

Three sources of hashes must agree: the package's own pins, what the hub says of its large files, and the
lock of an earlier fetch. The lock is a JSON file with the revision, and every file with size and SHA-256. An
interrupted download resumes file by file: the hub client keeps no part of a file.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpflow.artifacts.io import atomic_write_text, sha256_file
from xpflow.errors import HubError
from xpflow.hub.remote import Hub, RemoteFile
from xpflow.hub.repo import HubRepo

REMOVE = "if the change is meant, remove the lock and fetch again"


@dataclass(frozen=True, slots=True)
class LockedFile:
    """One file: name inside the repository, size in bytes, SHA-256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Lock:
    """What a fetch found."""

    id: str
    revision: str
    files: tuple[LockedFile, ...]

    def save(self, path: Path) -> None:
        """Write the lock, whole or not at all."""
        files = [{"name": file.name, "size": file.size, "sha256": file.sha256} for file in self.files]
        fields = {"id": self.id, "revision": self.revision, "files": files}
        atomic_write_text(path, json.dumps(fields, indent=1) + "\n")

    def require(self, repo: HubRepo, path: Path) -> None:
        """Raise HubError unless the lock is one of this repository and revision."""
        if (self.id, self.revision) != (repo.hub_id, repo.revision):
            raise HubError(
                f"{path} locks {self.id} at {self.revision},"
                f" but {repo.hub_id} at {repo.revision} is asked for",
                hint=REMOVE,
            )


def read_lock(path: Path) -> Lock | None:
    """Read a lock, or return None when there is none; raises HubError for a file that is none."""
    try:
        fields: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        files = tuple(LockedFile(**file) for file in fields["files"])
        return Lock(str(fields["id"]), str(fields["revision"]), files)
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, ValueError) as error:
        raise HubError(f"{path} is no lock of a hub repository ({error})", hint="remove it") from error


def locked_files(folder: Path, names: list[str]) -> tuple[LockedFile, ...]:
    """Return size and SHA-256 of files in a folder; reads all their bytes."""
    return tuple(
        LockedFile(name, (folder / name).stat().st_size, sha256_file(folder / name)) for name in sorted(names)
    )


RESERVE = 512 * 2**20  # bytes that stay free
GIB = 2**30

Report = Callable[[str], None]


def fetch(repo: HubRepo, path: Path, hub: Hub, report: Report = lambda text: None) -> Lock:
    """Fetch a repository and write its lock to `path`; with a lock and all files cached, only check them.

    Raises HubError before the download for no access, a wrong revision, another revision in the lock or too
    little disk space, and after it for a file that is not the one that was pinned.
    """
    old = read_lock(path)
    if old is not None:
        old.require(repo, path)
        folder = _complete(repo, old, hub)
        if folder is not None:
            report(f"{repo.hub_id}: in the cache, checking {len(old.files)} files")
            _same(repo, locked_files(folder, [file.name for file in old.files]), old.files, path)
            return old
    files = hub.files(repo)
    _require_usable(repo, files)
    _require_room(repo, files, hub, report)
    folder = hub.download(repo)
    report(f"{repo.hub_id}: downloaded, computing the SHA-256 of {len(files)} files")
    found = locked_files(folder, [file.name for file in files])
    _require_pinned(repo, found, files, folder)
    if old is not None:
        _same(repo, found, old.files, path)
    lock = Lock(repo.hub_id, repo.revision, found)
    lock.save(path)
    return lock


def _complete(repo: HubRepo, lock: Lock, hub: Hub) -> Path | None:
    """Return the cached folder when it has all files of the lock."""
    paths = [(file.name, hub.cached(repo, file.name)) for file in lock.files]
    folders = {None if path is None else _above(path, name) for name, path in paths}
    return folders.pop() if len(folders) == 1 else None


def _above(path: Path, name: str) -> Path:
    return path.parents[len(Path(name).parts) - 1]


def _require_usable(repo: HubRepo, files: Iterable[RemoteFile]) -> None:
    if repo.files:
        names = [file.name for file in files]
        if absent := [pattern for pattern in repo.files if not fnmatch.filter(names, pattern)]:
            raise HubError(
                f"{repo.hub_id} at {repo.revision[:12]} has no {' and no '.join(absent)}",
                hint="choose a revision that has them",
            )
        return
    ending = ".safetensors" if repo.kind == "model" else ".parquet"
    if not any(file.name.endswith(ending) for file in files):
        raise HubError(
            f"{repo.hub_id} at {repo.revision[:12]} has no {ending} file",
            hint="weights are read from safetensors only, data from parquet: choose a revision that has them",
        )


def _require_room(repo: HubRepo, files: list[RemoteFile], hub: Hub, report: Report) -> None:
    missing = sum(file.size for file in files if hub.cached(repo, file.name) is None)
    free = hub.free_bytes()
    report(f"{repo.hub_id}: {missing / GIB:.2f} GiB to load, {free / GIB:.1f} GiB free")
    if missing and free < missing + RESERVE:
        raise HubError(
            f"{repo.hub_id} needs {missing / GIB:.2f} GiB in the hub cache, and its disk has"
            f" {free / GIB:.2f} GiB free",
            hint="make room (0.5 GiB must stay free), or put the cache on another disk with HF_HOME",
        )


def _require_pinned(
    repo: HubRepo, found: tuple[LockedFile, ...], files: list[RemoteFile], folder: Path
) -> None:
    remote = {file.name: file for file in files}
    for file in found:
        promised = remote[file.name]
        for source, sha256 in (("this package", repo.sha256.get(file.name)), ("the hub", promised.sha256)):
            if sha256 not in (None, file.sha256) or file.size != promised.size:
                raise HubError(
                    f"{repo.hub_id}, {file.name}: {file.size} bytes with sha256 {file.sha256}, but {source}"
                    f" says {promised.size} bytes with {sha256 or 'any sha256'}",
                    hint=f"remove {(folder / file.name).resolve()} and fetch again",
                )


def _same(repo: HubRepo, found: tuple[LockedFile, ...], locked: tuple[LockedFile, ...], path: Path) -> None:
    for file in sorted(set(found) ^ set(locked), key=lambda file: file.name):
        what = "is not what the lock says" if file in locked else "is not in the lock, or not with this hash"
        raise HubError(f"{repo.hub_id}, {file.name}: {what} ({path})", hint=REMOVE)
