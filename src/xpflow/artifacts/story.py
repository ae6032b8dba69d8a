"""The story of files: what made them, from what, down to the first inputs, each compared with what it was.

Compared are the files themselves, every input of every stage behind them, and the manifests along the way.
Not compared: the code and the settings of the stages (the audit does), inputs from outside of the folder that
the study ran in, shards that were merged, which need not be there. What a pack left out is known by its hash
only. A `Story` counts all of these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpflow.artifacts.audit import changed_input, shards_of
from xpflow.artifacts.history import named
from xpflow.artifacts.left_out import absent
from xpflow.artifacts.manifest import InputRecord, Manifest, checked, manifest_of
from xpflow.artifacts.places import NOT_HERE, OUTSIDE, relative
from xpflow.errors import ArtifactError

HIDDEN = ("command", "shard")
ORDER = ("model", "benchmark", "split", "variant", "kind", "arm", "budget", "seed")


@dataclass(frozen=True, slots=True)
class Chapter:
    """One stage of a story: `depth` steps back from the file, its files, and the inputs that end here."""

    depth: int
    manifest: Manifest
    files: tuple[str, ...]
    sources: tuple[InputRecord, ...]

    def title(self) -> str:
        """Return the stage in words: command and names."""
        stage = self.manifest.stage
        order = sorted(stage, key=lambda key: (ORDER.index(key) if key in ORDER else len(ORDER), key))
        names = " ".join(f"{key}={stage[key]}" for key in order if key not in HIDDEN and stage[key] != "")
        return f"xpflow {stage.get('command')} {names}".strip()


@dataclass(frozen=True, slots=True)
class Story:
    """The stages behind some files, nearest first, each once, and what was found on the way.

    trouble: what does not fit, in words. compared: paths whose content was compared. left_out, outside,
    shards: paths that were known by their hash in a pack, not looked at, or merged into others.
    """

    chapters: tuple[Chapter, ...]
    trouble: tuple[str, ...]
    compared: frozenset[str]
    left_out: frozenset[str]
    outside: frozenset[str]
    shards: frozenset[str]

    def unseen(self) -> str:
        """Return in words what was not compared by its content; empty where all was."""
        words = (
            (self.outside, "from outside of the study's folder"),
            (self.left_out, "left out of the pack, known by hash only"),
            (self.shards, "merged and known by manifest only"),
        )
        return ", ".join(f"{len(paths)} {why}" for paths, why in words if paths)


def story(files: Sequence[Path], root: Path, study: Path) -> Story:
    """Return the story of some files of a study; what is broken or absent is trouble, never an exception.

    Args:
        files: what the story is of. root: the folder that the study ran in. study: results/<study>, where
            the note lies that lists what a pack left out.
    """
    trouble: list[str] = []
    left_out = _left_out(study, root, trouble)
    starts = [made for file in files if (made := _start(file, root, left_out, trouble)) is not None]
    chapters = _chapters(starts, root, trouble)
    shards = shards_of(one.manifest for one in chapters)
    known, seen = dict(left_out), {relative(file, root) for file in files}
    for one in chapters:
        trouble += _changed(one, root, shards, known)
        seen.update(source.path for source in one.manifest.inputs)
    outside = {path for path in seen if path.startswith(f"{OUTSIDE}/")}
    by_hash = seen & left_out.keys()
    return Story(
        tuple(chapters),
        tuple(dict.fromkeys(trouble)),
        compared=frozenset(seen - outside - by_hash - shards),
        left_out=frozenset(by_hash),
        outside=frozenset(outside),
        shards=frozenset(seen & shards),
    )


def told(chapters: Sequence[Chapter]) -> Iterator[str]:
    """Yield a story's lines: the stage, what it made, its settings, code, software, and its first inputs."""
    for chapter in chapters:
        manifest, pad = chapter.manifest, "  " * chapter.depth
        made = ", ".join(chapter.files[:4]) + (
            f" and {len(chapter.files) - 4} more" if len(chapter.files) > 4 else ""
        )
        yield f"{pad}{chapter.title()}"
        yield f"{pad}  made {made}; {manifest.started} to {manifest.ended}"
        settings = manifest.config.get("fingerprint") or "none"
        yield f"{pad}  settings {settings}, code {manifest.code}, {_software(manifest)}"
        yield from (f"{pad}  {key}: {_short(value)}" for key, value in manifest.facts.items())
        yield from (f"{pad}  {line}" for line in _from(chapter.sources))


def closing(told_of: Story, trouble: Sequence[str] = (), also: str = "") -> Iterator[str]:
    """Yield the last lines of a story: what does not fit, or that all fits, and what was not compared.

    `trouble` comes on top of the story's own; `also` says what else was compared and is equal.
    """
    found = dict.fromkeys((*trouble, *told_of.trouble))
    yield from (f"DOES NOT FIT: {why}" for why in found)
    if not found:
        yield f"Every file that was compared ({len(told_of.compared)}) is what it was{also}."
    if unseen := told_of.unseen():
        yield f"Not compared: {unseen}."


def _left_out(study: Path, root: Path, trouble: list[str]) -> Mapping[str, str]:
    try:
        return absent(study, root)
    except (ArtifactError, OSError) as error:
        trouble.append(_said(error))
        return {}


def _start(file: Path, root: Path, left_out: Mapping[str, str], trouble: list[str]) -> Manifest | None:
    """Return the manifest that speaks for a file, whatever became of the file itself."""
    if (stated := left_out.get(relative(file, root))) is not None:
        made = _spoken(file)
        if made is None or all(one.sha256 != stated for one in made.files):
            trouble.append(f"{relative(file, root)} was left out of the pack, and no manifest speaks of it")
        return made
    try:
        manifest = checked(file)[1]
    except (ArtifactError, OSError) as error:
        trouble.append(_said(error))
        return _spoken(file)
    if manifest is None:
        trouble.append(f"no manifest speaks of {relative(file, root)}")
    return manifest


def _spoken(file: Path) -> Manifest | None:
    try:
        found = manifest_of(file)
    except (ArtifactError, OSError):
        return None  # `checked` has said so
    return found[2] if found else None


def _chapters(starts: Sequence[Manifest], root: Path, trouble: list[str]) -> list[Chapter]:
    chapters: dict[str, Chapter] = {}
    waiting = [(0, one) for one in starts]
    lost: list[tuple[str, str]] = []  # (path, what is wrong)
    while waiting:
        depth, manifest = waiting.pop(0)
        if manifest.digest in chapters:
            continue
        behind, sources, shards = list[Manifest](), [], iter(manifest.shards())
        for one in manifest.inputs:
            made, why = (next(shards), "") if one.record else _maker(one, root, manifest)
            lost += [(one.path, why)] if why else []
            if made is None:
                sources.append(one)
            else:
                behind.append(made)
        files = tuple(record.path for record in manifest.files)
        chapters[manifest.digest] = Chapter(depth, manifest, files, tuple(sources))
        waiting += [(depth + 1, one) for one in behind]
    merged = shards_of(one.manifest for one in chapters.values())  # gone with their manifests, it may be
    trouble += [why for path, why in lost if path not in merged]
    return list(chapters.values())


def _maker(one: InputRecord, root: Path, user: Manifest) -> tuple[Manifest | None, str]:
    """Return the manifest of what made an input (None: it is a first input), and what is wrong with it."""
    if one.path.partition("/")[0] in NOT_HERE:
        return None, ""
    try:
        found = manifest_of(root / one.path) if (root / one.path).parent.is_dir() else None
    except (ArtifactError, OSError) as error:
        return None, _said(error)
    if found is None:
        return None, f"its input {one.path} had a manifest, and none speaks of it now" if one.manifest else ""
    _, record, made = found
    replaced = one.manifest not in (None, made.digest) and made.ended < user.started
    if replaced and record.sha256 == one.sha256:
        return made, f"the manifest of its input {one.path} is another than when it was used"
    return made, ""


def _changed(one: Chapter, root: Path, shards: set[str], known: dict[str, str]) -> Iterator[str]:
    """Yield what is wrong with the inputs of a stage; only shards that were merged may be gone."""
    for source in one.manifest.inputs:
        if source.path in shards:
            continue
        try:
            why = changed_input(source, root, known)
        except (ArtifactError, OSError) as error:
            why = f"its input {source.path} cannot be read: {_said(error)}"
        if why:
            yield f"{one.title()}: {why}"


def _said(error: Exception) -> str:
    return error.message if isinstance(error, ArtifactError) else str(error)


def _from(sources: tuple[InputRecord, ...]) -> Iterator[str]:
    """Yield a line for each folder of inputs, its files with the beginnings of their SHA-256."""
    folders: dict[str, list[str]] = {}
    for one in sources:
        folder, _, name = one.path.rpartition("/")
        folders.setdefault(folder, []).append(f"{name} {one.sha256[:12]}")
    for folder, names in folders.items():
        yield f"from {folder}/: {', '.join(names)}"


def _software(manifest: Manifest) -> str:
    git: Mapping[str, Any] = manifest.package.get("git") or {}
    commit = f" at {named(git)}" if git else ""
    torch = (manifest.environment.get("libraries") or {}).get("torch", "?")
    container = manifest.environment.get("container")
    return f"xpflow {manifest.package.get('version')}{commit}, torch {torch}" + (
        f", container {container}" if container else ""
    )


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        value = ", ".join(f"{key} {one}" for key, one in value.items() if one is not None)
    text = str(value)
    return text if len(text) <= 160 else text[:157] + "..."
