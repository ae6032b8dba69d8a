"""The story of a file: what made it, from what, down to the first inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpflow.artifacts.manifest import InputRecord, Manifest, manifest_of

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
        return f"xpflow {self.manifest.stage['command']} {names}".strip()


def story(file: Path, root: Path) -> list[Chapter]:
    """Return the stages behind a file, nearest first, each once.

    Stages that differ only in their shard are one chapter each. Raises ArtifactError for a broken manifest;
    a file without one has no chapter.
    """
    chapters: dict[str, Chapter] = {}
    waiting = [(0, one) for one in _manifests(file, root)]
    while waiting:
        depth, manifest = waiting.pop(0)
        if manifest.digest in chapters:
            continue
        behind, sources = [], []
        for one in manifest.inputs:
            made = (
                [Manifest.from_fields(one.record)] if one.record else list(_manifests(root / one.path, root))
            )
            behind += made
            if not made:
                sources.append(one)
        files = tuple(record.path for record in manifest.files)
        chapters[manifest.digest] = Chapter(depth, manifest, files, tuple(sources))
        waiting += [(depth + 1, one) for one in behind]
    return list(chapters.values())


def told(chapters: list[Chapter]) -> Iterator[str]:
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


def _from(sources: tuple[InputRecord, ...]) -> Iterator[str]:
    """Yield a line for each folder of inputs, its files with the beginnings of their SHA-256."""
    folders: dict[str, list[str]] = {}
    for one in sources:
        folder, _, name = one.path.rpartition("/")
        folders.setdefault(folder, []).append(f"{name} {one.sha256[:12]}")
    for folder, names in folders.items():
        yield f"from {folder}/: {', '.join(names)}"


def _manifests(file: Path, root: Path) -> Iterator[Manifest]:
    found = manifest_of(file) if file.parent.is_dir() else None
    if found is not None:
        yield found[2]


def _software(manifest: Manifest) -> str:
    git: Mapping[str, Any] = manifest.package.get("git") or {}
    commit = f" at {git['commit'][:12]}{' with changes' if git['changed'] else ''}" if git else ""
    torch = manifest.environment.get("libraries", {}).get("torch", "?")
    container = manifest.environment.get("container")
    return f"xpflow {manifest.package.get('version')}{commit}, torch {torch}" + (
        f", container {container}" if container else ""
    )


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        value = ", ".join(f"{key} {one}" for key, one in value.items() if one is not None)
    text = str(value)
    return text if len(text) <= 160 else text[:157] + "..."
