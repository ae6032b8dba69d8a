"""The audit: every file of a study against its manifest, and every manifest against what it was made from.

Covers: content of files, manifests and their chain of inputs, the code and the configuration that made them,
files that nothing speaks of, files that a study should have and has not. Does not cover: logs and time tables
(`logs/`, `benchmarks/`), whether the numbers are right (`--replay` decodes samples again), and a forger who
makes every manifest behind a changed file anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xpflow.artifacts.code import PACKAGE
from xpflow.artifacts.environment import package_facts
from xpflow.artifacts.history import changed_code
from xpflow.artifacts.io import sha256_file
from xpflow.artifacts.left_out import NO_ARTIFACTS
from xpflow.artifacts.manifest import ENDING, FileRecord, InputRecord, Manifest, read_manifest
from xpflow.artifacts.places import INSTALLED, OUTSIDE, relative
from xpflow.errors import ArtifactError

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
SETTLED_BY = "config"  # the command that writes a study's settings whole
Fingerprint = Callable[[Mapping[str, object]], str | None]


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
    known = dict(scene.left_out)  # path -> SHA-256 of what was hashed already
    seen: set[str] = set()
    later: list[tuple[str, Manifest, list[Finding]]] = []
    closed: list[OSError] = []
    for folder in _folders(folders, closed):
        for manifest_path, manifest, findings in _folder(folder, scene, known):
            seen.update(one.path for one in findings)
            if manifest is None:
                yield from findings
            else:
                later.append((manifest_path, manifest, findings))
    digests = {
        _place(path, record.path): manifest for path, manifest, _ in later for record in manifest.files
    }
    for _, manifest, findings in later:
        yield from _judged(manifest, findings, scene, known, digests)
    for error in closed:
        yield Finding(
            relative(Path(error.filename), scene.root), "altered", f"cannot be read: {error.strerror}"
        )
    for path in scene.expected:
        if path not in seen:
            yield Finding(path, "missing", "the study makes it, and there is neither the file nor a manifest")


def worst(findings: Iterable[Finding]) -> int:
    """Return the exit code of the most serious finding."""
    return max((STATUSES[one.status] for one in findings), default=0)


def _folders(folders: Sequence[Path], closed: list[OSError]) -> Iterator[Path]:
    """Yield folders and all below them; errors of those that cannot be listed go to `closed`."""
    for top in folders:
        for found, names, _ in os.walk(top, onerror=closed.append):
            names[:] = sorted(
                name for name in names if name not in NO_ARTIFACTS or Path(found) not in folders
            )
            yield Path(found)


def _folder(
    folder: Path, scene: Scene, known: dict[str, str]
) -> Iterator[tuple[str, Manifest | None, list[Finding]]]:
    """Yield (path of a manifest, manifest, findings on its files), all else without a manifest."""
    here = sorted(entry.name for entry in os.scandir(folder) if not entry.is_dir(follow_symlinks=False))
    spoken, root = dict[str, str](), scene.root
    for name in (name for name in here if name.endswith(ENDING)):
        path = relative(folder / name, root)
        try:
            manifest = read_manifest(folder / name)
        except ArtifactError as error:
            yield path, None, [Finding(path, "inconsistent", error.message)]
            continue
        findings: list[Finding] = []
        for record in manifest.files:
            place = relative(folder / record.path, root)
            if record.path in spoken:
                findings.append(Finding(place, "inconsistent", f"{spoken[record.path]} speaks of it too"))
                continue
            spoken[record.path] = name
            findings.append(_compared(folder / record.path, record, place, known))
        yield path, manifest, [_of_manifest(path, findings), *findings]
    alone = [
        relative(folder / name, root) for name in here if name not in spoken and not name.endswith(ENDING)
    ]
    why = "no manifest speaks of it"
    yield "", None, [Finding(path, "foreign", why) for path in alone if path != scene.note]


def _of_manifest(path: str, findings: Sequence[Finding]) -> Finding:
    """Return the finding on a manifest: as bad as its files, for it may be the one that was changed."""
    order = list(STATUSES)
    bad = min(findings, key=lambda one: order.index(one.status), default=Finding(path, "good"))
    if bad.status in ("good", "left out"):
        return Finding(path, "good")
    return Finding(
        path, bad.status, f"it does not fit {bad.path.rpartition('/')[2]}, or is not of this place"
    )


def _compared(file: Path, record: FileRecord, place: str, known: dict[str, str]) -> Finding:
    try:
        size = file.stat().st_size
        if not file.is_file():
            return Finding(place, "altered", "it is no file any more")
        if size != record.size:
            return Finding(place, "altered", f"{size} bytes, {record.size} when it was made")
        known[place] = sha256_file(file)
    except FileNotFoundError:
        if known.get(place) == record.sha256:
            return Finding(place, "left out", "not part of the pack; its manifest and hash are")
        return Finding(place, "missing", "its manifest is there, the file is not")
    except OSError as error:
        return Finding(place, "altered", f"cannot be read: {error.strerror}")
    if known[place] != record.sha256:
        return Finding(place, "altered", "other content than when it was made")
    return Finding(place, "good")


def _judged(
    manifest: Manifest,
    findings: list[Finding],
    scene: Scene,
    known: dict[str, str],
    digests: Mapping[str, Manifest],
) -> Iterator[Finding]:
    """Yield findings on files, with the good ones judged by where they came from."""
    reasons = [*_wrong_chain(manifest, digests), *_stale(manifest, scene, known), *_unpinned(manifest)]
    status, reason = min(reasons, key=lambda pair: list(STATUSES).index(pair[0])) if reasons else ("good", "")
    for one in findings:
        yield one if one.status != "good" else Finding(one.path, status, reason)


def _wrong_chain(manifest: Manifest, digests: Mapping[str, Manifest]) -> Iterator[tuple[str, str]]:
    for one in manifest.inputs:
        made = digests.get(one.path)
        if made is None or one.manifest is None or made.digest == one.manifest:
            continue
        if not any(record.sha256 == one.sha256 for record in made.files):
            continue  # the input's content changed: that is said by `changed_input`
        if made.ended < manifest.started:
            yield "inconsistent", f"the manifest of its input {one.path} is another than when it was used"
        else:  # says the manifest; it may be made up as well as made again
            yield "stale", f"its input {one.path} was made again since, with the same content"


def _stale(manifest: Manifest, scene: Scene, known: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Judge the stage that made some files, and the stages of shards that it merged and that are gone."""
    stages = _with_shards(manifest)
    shards = shards_of(stages)
    for one in stages:
        yield from _other_rules(one, scene)
        for source in one.inputs:
            if source.path not in shards and (reason := _changed(source, one, scene, known)):
                yield "stale", reason


def _changed(source: InputRecord, manifest: Manifest, scene: Scene, known: dict[str, str]) -> str:
    if manifest.stage["command"] == SETTLED_BY and source.path not in scene.left_out:
        now = scene.settled(source.path)
        if now is not None:
            same = any(one.sha256 == now for one in manifest.files)
            other = "another study" if now else "no study"
            return "" if same else f"its input {source.path}, with what it extends, gives {other} now"
    return changed_input(source, scene.root, known)


def shards_of(manifests: Iterable[Manifest]) -> set[str]:
    """Return the paths of the inputs of some stages that were merged and need not be there any more."""
    return {one.path for manifest in manifests for one in manifest.inputs if one.record}


def _with_shards(manifest: Manifest) -> list[Manifest]:
    """Return a manifest and those that it holds, at any depth."""
    return [manifest, *(deeper for one in manifest.shards() for deeper in _with_shards(one))]


def _other_rules(manifest: Manifest, scene: Scene) -> Iterator[tuple[str, str]]:
    """Compare the code and the settings of a stage with those of today."""
    command = manifest.stage["command"]
    if reason := changed_code(command, manifest.code, manifest.package, manifest.facts.get("plugins") or ()):
        yield "stale", reason
    now = scene.fingerprint(manifest.stage) if manifest.config.get("fingerprint") else None
    if now is not None and now != manifest.config["fingerprint"]:
        yield "stale", f"the study's settings for `xpflow {command}` changed"


def changed_input(one: InputRecord, root: Path, known: dict[str, str]) -> str:
    """Return what is wrong with an input now, or nothing; `known` keeps what was hashed already."""
    if one.path.startswith(f"{OUTSIDE}/"):
        return ""
    if one.path not in known:
        inside = one.path.removeprefix(f"{INSTALLED}/")
        file = root / one.path if inside == one.path else PACKAGE / inside
        try:
            if not file.is_file():
                return f"its input {one.path} is not there"
            known[one.path] = sha256_file(file)
        except OSError as error:
            return f"its input {one.path} cannot be read: {error.strerror}"
    return "" if known[one.path] == one.sha256 else f"its input {one.path} changed"


def _unpinned(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Judge what could move under a name: revisions, and source that no commit holds.

    Source with uncommitted changes is as good as committed once it is: the fingerprint says that it is the
    same code, and the checkout that it has no changes.
    """
    for what in manifest.facts.get("unpinned", ()):
        yield "unpinned", f"{what} is named by no commit and no hash"
    if _uncommitted(manifest.package) and (_uncommitted(package_facts()) or not package_facts()["git"]):
        yield "unpinned", "it was made by source with changes that no commit holds"


def _uncommitted(package: Mapping[str, Any]) -> bool:
    return bool((package.get("git") or {}).get("changed"))


def _place(manifest_path: str, name: str) -> str:
    folder = manifest_path.rpartition("/")[0]
    return f"{folder}/{name}" if folder else name
