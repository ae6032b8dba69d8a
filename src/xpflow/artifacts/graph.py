"""The manifests of a study as one graph: what each of them lists, what was made from what, what is there now.

A folder's manifests are read once and a file is hashed once, whoever asks: the audit, which goes through all
folders, and the lineage of a file, which goes back from that file. Paths are relative to the folder that the
study ran in. What is broken is kept as words (`flaw`), never raised: both go on without it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xpflow.artifacts.code import PACKAGE
from xpflow.artifacts.io import sha256_file
from xpflow.artifacts.left_out import NO_ARTIFACTS, absent
from xpflow.artifacts.manifest import ENDING, FileRecord, InputRecord, Manifest, read_manifest
from xpflow.artifacts.places import INSTALLED, OUTSIDE, relative
from xpflow.errors import ArtifactError

REPLACED = "the manifest of its input {} is another than when it was used"


@dataclass(frozen=True, slots=True)
class Node:
    """A manifest where it lies; None where it cannot be read, and `flaw` says why."""

    path: str
    manifest: Manifest | None
    flaw: str = ""

    @property
    def name(self) -> str:
        """The manifest's file name."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder: the names of its files, manifests aside, and its manifests in the order of their names."""

    path: str
    files: tuple[str, ...] = ()
    nodes: tuple[Node, ...] = ()
    flaw: str = ""

    def place(self, name: str) -> str:
        """Return the path of a file in it."""
        return name if self.path in ("", ".") else f"{self.path}/{name}"

    def nodes_for(self, name: str) -> list[Node]:
        """Return the manifests in the order in which they count for a file: its own comes first."""
        return sorted(self.nodes, key=lambda node: node.name != name + ENDING)


@dataclass(frozen=True, slots=True)
class Maker:
    """How a file came about: the manifest that lists it, and its record there."""

    node: Node
    record: FileRecord
    manifest: Manifest


class Graph:
    """Manifests and hashes below one root, read when they are first asked for.

    `left_out` are path and SHA-256 of files that a pack left behind: they count as having that content.
    `hashed` returns the SHA-256 of a file.
    """

    def __init__(
        self,
        root: Path,
        left_out: Mapping[str, str] | None = None,
        flaw: str = "",
        hashed: Callable[[Path], str] = sha256_file,
    ) -> None:
        self.root, self.left_out, self.flaw, self._hashed = root, dict(left_out or {}), flaw, hashed
        self._folders: dict[str, Folder] = {}
        self._hashes = {path: sha for path, sha in self.left_out.items() if not os.path.exists(root / path)}

    @classmethod
    def of_study(cls, study: Path, root: Path, hashed: Callable[[Path], str] = sha256_file) -> Graph:
        """Return the graph of results/<study> with the note of what a pack left out; `flaw` is the note's."""
        try:
            return cls(root, absent(study, root), hashed=hashed)
        except (ArtifactError, OSError) as error:
            flaw = error.message if isinstance(error, ArtifactError) else str(error)
            return cls(root, flaw=flaw, hashed=hashed)

    def below(self, tops: Sequence[Path]) -> tuple[list[Folder], list[tuple[str, str]]]:
        """Return folders and all below them, without logs and time tables.

        Also returns (path, reason) of those that cannot be listed.
        """
        closed: list[OSError] = []
        found = []
        for top in tops:
            for here, names, _ in os.walk(top, onerror=closed.append):
                skipped = NO_ARTIFACTS if Path(here) in tops else ()
                names[:] = sorted(name for name in names if name not in skipped)
                found.append(self.folder(relative(Path(here), self.root)))
        return found, [(relative(Path(one.filename), self.root), str(one.strerror)) for one in closed]

    def folder(self, path: str) -> Folder:
        """Return a folder with its manifests; empty where it is none."""
        if path not in self._folders:
            self._folders[path] = self._read(path)
        return self._folders[path]

    def maker(self, path: str) -> Maker | None:
        """Return what lists a file, whatever became of the file itself.

        None where nothing does, or where a manifest that could list it cannot be read (`broken` says so).
        """
        folder, name = self._beside(path)
        for node in folder.nodes_for(name):
            if node.manifest is None:
                return None
            if found := _listed(node, name):
                return found
        return None

    def maker_among(self, folders: Collection[str], path: str) -> Maker | None:
        """Return what lists a file that lies in one of some folders, broken manifests left aside."""
        folder, name = self._beside(path) if (path.rpartition("/")[0] or ".") in folders else (Folder(""), "")
        return next((found for node in folder.nodes_for(name) if (found := _listed(node, name))), None)

    def broken(self, path: str) -> str:
        """Return why it cannot be said what lists a file, or nothing."""
        folder, name = self._beside(path)
        return folder.flaw or next((node.flaw for node in folder.nodes_for(name) if node.flaw), "")

    def _beside(self, path: str) -> tuple[Folder, str]:
        folder, _, name = path.rpartition("/")
        return self.folder(folder or "."), name

    def sha256(self, path: str) -> str:
        """Return the SHA-256 of a file as it is now; OSError where it cannot be read."""
        if path not in self._hashes:
            self._hashes[path] = self._hashed(self._file(path))
        return self._hashes[path]

    def file_flaw(self, path: str) -> str:
        """Return why a file is not the one that its manifest lists, or nothing where it is."""
        made, file = self.maker(path), self.root / path
        try:
            if not file.is_file():
                return f"no such file: {path}"
            if made is None:
                return self.broken(path) or f"no manifest lists {path}"
            fits = file.stat().st_size == made.record.size and self.sha256(path) == made.record.sha256
        except OSError as error:
            return f"{path} cannot be read: {error.strerror}"
        return "" if fits else f"{path} is not the file that {made.node.name} lists"

    def input_flaw(self, one: InputRecord) -> str:
        """Return what is wrong with an input now, or nothing; inputs from outside are not looked at."""
        if one.path.startswith(f"{OUTSIDE}/"):
            return ""
        try:
            if one.path not in self._hashes and not self._file(one.path).is_file():
                return f"its input {one.path} is not there"
            now = self.sha256(one.path)
        except OSError as error:
            return f"its input {one.path} cannot be read: {error.strerror}"
        return "" if now == one.sha256 else f"its input {one.path} changed"

    def _file(self, path: str) -> Path:
        inside = path.removeprefix(f"{INSTALLED}/")
        return self.root / path if inside == path else PACKAGE / inside

    def _read(self, path: str) -> Folder:
        try:
            with os.scandir(self.root / path) as entries:
                names = sorted(entry.name for entry in entries if not entry.is_dir(follow_symlinks=False))
        except (FileNotFoundError, NotADirectoryError):
            return Folder(path)
        except OSError as error:
            return Folder(path, flaw=f"{path} cannot be read: {error.strerror}")
        nodes = tuple(self._node(path, name) for name in names if name.endswith(ENDING))
        return Folder(path, tuple(name for name in names if not name.endswith(ENDING)), nodes)

    def _node(self, folder: str, name: str) -> Node:
        path = Folder(folder).place(name)
        try:
            return Node(path, read_manifest(self.root / path))
        except ArtifactError as error:
            return Node(path, None, error.message)


def _listed(node: Node, name: str) -> Maker | None:
    for record in node.manifest.files if node.manifest else ():
        if record.path == name and node.manifest:
            return Maker(node, record, node.manifest)
    return None


def replaced(one: InputRecord, made: Manifest, user: Manifest) -> bool:
    """Return whether the manifest of an input is another than when `user` read the same content.

    Where it lists other content for anything that `user` read by it, that is a change of an input, which
    `Graph.input_flaw` tells of. What a manifest says of times does not count: whoever wrote it chose them.
    """
    if one.manifest in (None, made.digest):
        return False
    now = {record.path: record.sha256 for record in made.files}
    read = [other for other in user.inputs if other.manifest == one.manifest]
    return all(now.get(other.path.rpartition("/")[2]) == other.sha256 for other in read)


def with_shards(manifest: Manifest) -> Iterator[Manifest]:
    """Yield a manifest and those that it holds, at any depth."""
    yield manifest
    for one in manifest.shards():
        yield from with_shards(one)


def shards_of(manifests: Iterable[Manifest]) -> set[str]:
    """Return the paths of inputs that were merged by some stages, and need not be there any more."""
    return {one.path for manifest in manifests for one in manifest.inputs if one.record}
