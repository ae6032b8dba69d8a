"""The audit: every file of a study against its manifest, and every manifest against what it was made from.

Covers: content of files, manifests and their chain of inputs, the code and the configuration that made them,
files that no manifest lists, files that a study should have and has not. Does not cover: logs and time tables
(`logs/`, `benchmarks/`), whether the numbers are right (`--replay` decodes samples again), and a forger who
makes every manifest behind a changed file again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xpflow.artifacts.environment import package_facts
from xpflow.artifacts.graph import REPLACED, Folder, Graph, replaced, shards_of, with_shards
from xpflow.artifacts.history import changed_code
from xpflow.artifacts.manifest import FileRecord, InputRecord, Manifest

# status -> exit code, the most serious first
STATUSES = {
    "inconsistent": 16,
    "altered": 15,
    "missing": 14,
    "foreign": 13,
    "stale": 12,
    "unpinned": 11,
    "left out": 0,
    "good": 0,
}
_ORDER = list(STATUSES)
SETTLED_BY = "config"  # the command that writes a study's settings whole
Fingerprint = Callable[[Mapping[str, object]], str | None]
Reason = tuple[str, str]  # a status, and why


@dataclass(frozen=True, slots=True)
class Finding:
    """What the audit says of one file; `path` is relative to the root."""

    path: str
    status: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """What an audit compares with.

    root: the folder that commands ran in. fingerprint: from a manifest's stage to the fingerprint that the
    study's configuration gives it now (None: it depends on none). expected: files that must be there.
    left_out: path and SHA-256 of files that a pack left behind. note: the path of the list of these.
    settled: from a study's file that a person wrote to the SHA-256 of the whole study that it gives now
    (empty where it gives none, None where there is no such file): it counts by that.
    """

    root: Path
    fingerprint: Fingerprint = lambda stage: None
    expected: Sequence[str] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    settled: Callable[[str], str | None] = lambda path: None


def audit(folders: Sequence[Path], scene: Scene) -> Iterator[Finding]:
    """Yield a finding for every file below some folders, and for every file that is absent."""
    graph = Graph(scene.root, scene.left_out)
    here, closed = graph.below(folders)
    names = {folder.path for folder in here}
    compared = [pair for folder in here for pair in _of_folder(graph, folder)]
    seen = {finding.path for _, findings in compared for finding in findings}
    for folder in here:
        yield from (Finding(node.path, "inconsistent", node.flaw) for node in folder.nodes if node.flaw)
        for path in _unlisted(folder):
            seen.add(path)
            if path != scene.note:
                yield Finding(path, "foreign", "no manifest lists it")
    for manifest, findings in compared:
        yield from _judged(manifest, findings, scene, graph, names)
    yield from (Finding(path, "altered", f"cannot be read: {why}") for path, why in closed)
    for path in scene.expected:
        if path not in seen:
            yield Finding(path, "missing", "the study makes it, and there is neither the file nor a manifest")


def worst(findings: Iterable[Finding]) -> int:
    """Return the exit code of the most serious finding."""
    return max((STATUSES[one.status] for one in findings), default=0)


def _unlisted(folder: Folder) -> list[str]:
    """Return the files of a folder that none of its manifests lists."""
    listed = {record.path for node in folder.nodes if node.manifest for record in node.manifest.files}
    return [folder.place(name) for name in folder.files if name not in listed]


def _of_folder(graph: Graph, folder: Folder) -> Iterator[tuple[Manifest, list[Finding]]]:
    """Yield each manifest with the findings on itself and on the files that it lists, by content alone."""
    first: dict[str, str] = {}  # file -> the manifest that listed it first
    for node in folder.nodes:
        if node.manifest is None:
            continue
        findings: list[Finding] = []
        for record in node.manifest.files:
            place = folder.place(record.path)
            if record.path in first:
                findings.append(Finding(place, "inconsistent", f"{first[record.path]} lists it too"))
                continue
            first[record.path] = node.name
            findings.append(_compared(graph, record, place))
        yield node.manifest, [_of_manifest(node.path, findings), *findings]


def _of_manifest(path: str, findings: Sequence[Finding]) -> Finding:
    """Return the finding on a manifest: as bad as its files, for it may be the one that was changed."""
    bad = min(findings, key=lambda one: _ORDER.index(one.status), default=Finding(path, "good"))
    if bad.status in ("good", "left out"):
        return Finding(path, "good")
    return Finding(
        path, bad.status, f"it does not fit {bad.path.rpartition('/')[2]}, or is not of this place"
    )


def _compared(graph: Graph, record: FileRecord, place: str) -> Finding:
    file = graph.root / place
    try:
        size = file.stat().st_size
        if not file.is_file():
            return Finding(place, "altered", "it is no file any more")
        if size != record.size:
            return Finding(place, "altered", f"{size} bytes, {record.size} when it was made")
        now = graph.sha256(place)
    except FileNotFoundError:
        if graph.left_out.get(place) == record.sha256:
            return Finding(place, "left out", "not part of the pack; its manifest and hash are")
        return Finding(place, "missing", "its manifest is there, the file is not")
    except OSError as error:
        return Finding(place, "altered", f"cannot be read: {error.strerror}")
    if now != record.sha256:
        return Finding(place, "altered", "other content than when it was made")
    return Finding(place, "good")


def _judged(
    manifest: Manifest, findings: Sequence[Finding], scene: Scene, graph: Graph, folders: Collection[str]
) -> Iterator[Finding]:
    """Yield findings on files, with the good ones judged by where they came from."""
    reasons = [*_chain(manifest, graph, folders), *_stale(manifest, scene, graph), *_unpinned(manifest)]
    status, reason = min(reasons, key=lambda pair: _ORDER.index(pair[0]), default=("good", ""))
    for one in findings:
        yield one if one.status != "good" else Finding(one.path, status, reason)


def _chain(manifest: Manifest, graph: Graph, folders: Collection[str]) -> Iterator[Reason]:
    """Judge the manifests of the inputs that lie in the folders of the audit."""
    for one in manifest.inputs:
        made = graph.maker_among(folders, one.path)
        if made and replaced(one, made.manifest, manifest):
            yield "inconsistent", REPLACED.format(one.path)


def _stale(manifest: Manifest, scene: Scene, graph: Graph) -> Iterator[Reason]:
    """Judge the stage that made some files, and the stages of shards that it merged and that are gone."""
    stages = list(with_shards(manifest))
    shards = shards_of(stages)
    for one in stages:
        yield from _other_rules(one, scene)
        for source in one.inputs:
            if source.path not in shards and (reason := _changed(source, one, scene, graph)):
                yield "stale", reason


def _changed(source: InputRecord, manifest: Manifest, scene: Scene, graph: Graph) -> str:
    if manifest.stage["command"] == SETTLED_BY and source.path not in scene.left_out:
        now = scene.settled(source.path)
        if now is not None:
            same = any(one.sha256 == now for one in manifest.files)
            other = "another study" if now else "no study"
            return "" if same else f"its input {source.path}, with what it extends, gives {other} now"
    return graph.input_flaw(source)


def _other_rules(manifest: Manifest, scene: Scene) -> Iterator[Reason]:
    """Compare the code and the settings of a stage with those of today."""
    command = manifest.stage["command"]
    if reason := changed_code(command, manifest.code, manifest.package, manifest.facts.get("plugins") or ()):
        yield "stale", reason
    now = scene.fingerprint(manifest.stage) if manifest.config.get("fingerprint") else None
    if now is not None and now != manifest.config["fingerprint"]:
        yield "stale", f"the study's settings for `xpflow {command}` changed"


def _unpinned(manifest: Manifest) -> Iterator[Reason]:
    """Judge what could move under a name: revisions, and source that no commit holds.

    Source with uncommitted changes is as good as committed once it is: the fingerprint says that it is the
    same code, and the checkout that it has no changes.
    """
    for what in manifest.facts.get("unpinned", ()):
        yield "unpinned", f"{what} is named by no commit and no hash"
    if _uncommitted(manifest.package) and (_uncommitted(package_facts()) or not package_facts()["git"]):
        known = (manifest.package.get("git") or {}).get("commit") is not None
        changes = "with changes that no commit holds" if known else "of a checkout that git could not read"
        yield "unpinned", f"it was made by source {changes}"


def _uncommitted(package: Mapping[str, Any]) -> bool:
    return bool((package.get("git") or {}).get("changed"))
