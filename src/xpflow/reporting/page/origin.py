"""Where a study's numbers came from: software, manifests and the audit, as its page shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpflow.artifacts.audit import STATUSES, Finding
from xpflow.artifacts.canonical import digest
from xpflow.artifacts.manifest import ENDING, Manifest, read_manifest
from xpflow.errors import ArtifactError
from xpflow.study.layout import Layout

SHOWN = 200  # findings that are listed one by one


@dataclass(frozen=True, slots=True)
class Software:
    """One environment in which files were made: what it was, and how many manifests name it."""

    facts: tuple[tuple[str, str], ...]
    count: int


@dataclass(frozen=True, slots=True)
class Audit:
    """The audit: how many files have each status, and those that are not good."""

    counts: tuple[tuple[str, int, str], ...]  # status, files, look
    odd: tuple[Finding, ...]
    more: int  # that are not listed


@dataclass(frozen=True, slots=True)
class Origin:
    """Software, stages (command, manifests, files), the manifests with their digests, and one over all."""

    software: tuple[Software, ...]
    stages: tuple[tuple[str, int, int], ...]
    manifests: tuple[tuple[str, str], ...]
    unreadable: tuple[str, ...]
    digest: str
    audit: Audit


def origin(layout: Layout, findings: Iterable[Finding], page: Path) -> Origin:
    """Return where a study came from; of the page itself, which is just being made, nothing counts."""
    own = {f"{page.parent.name}/{name}" for name in (page.name, f"{page.name}{ENDING}")}
    found, unreadable = _manifests(layout, own)
    hashes = tuple((path, manifest.digest) for path, manifest in found.items())
    return Origin(
        _software(found.values()),
        _stages(found.values()),
        hashes,
        tuple(unreadable),
        digest(hashes) if hashes else "",
        audit_of([one for one in findings if "/".join(one.path.split("/")[-2:]) not in own]),
    )


def audit_of(findings: Sequence[Finding]) -> Audit:
    """Return the findings by status, the most serious first."""
    counts = Counter(one.status for one in findings)
    looks = {"good": "good", "left out": "open"}
    odd = sorted(
        (one for one in findings if one.status not in looks),
        key=lambda one: (list(STATUSES).index(one.status), one.path),
    )
    return Audit(
        tuple((status, counts[status], looks.get(status, "bad")) for status in STATUSES if counts[status]),
        tuple(odd[:SHOWN]),
        max(0, len(odd) - SHOWN),
    )


def _manifests(layout: Layout, own: set[str]) -> tuple[dict[str, Manifest], list[str]]:
    """Return the manifests of a study by a path from its folders, and the paths of those that are none."""
    found: dict[str, Manifest] = {}
    unreadable = []
    for name, folder in (("results", layout.results), ("figures", layout.figures)):
        for path in sorted(folder.rglob(f"*{ENDING}")):
            place = f"{name}/{path.relative_to(folder).as_posix()}"
            if f"{path.parent.name}/{path.name}" in own:
                continue
            try:
                found[place] = read_manifest(path)
            except ArtifactError:
                unreadable.append(place)
    return found, unreadable


def _software(manifests: Iterable[Manifest]) -> tuple[Software, ...]:
    counts = Counter(_facts(manifest) for manifest in manifests)
    return tuple(Software(facts, count) for facts, count in counts.most_common())


def _facts(manifest: Manifest) -> tuple[tuple[str, str], ...]:
    """Return package, Python, system, container and libraries of a manifest."""
    package, around = manifest.package, manifest.environment
    libraries: Mapping[str, Any] = around.get("libraries") or {}
    facts = [
        ("xpflow", _version(package)),
        *((name, str(around[name])) for name in ("python", "system", "container") if around.get(name)),
        *((str(name), str(version)) for name, version in sorted(libraries.items())),
    ]
    return tuple(facts)


def _version(package: Mapping[str, Any]) -> str:
    git = package.get("git") or {}
    commit = f", commit {str(git['commit'])[:12]}" if git.get("commit") else ""
    return f"{package.get('version', '?')}{commit}{', with changes' if git.get('changed') else ''}"


def _stages(manifests: Iterable[Manifest]) -> tuple[tuple[str, int, int], ...]:
    counts, files = Counter[str](), Counter[str]()
    for manifest in manifests:
        command = str(manifest.stage["command"])
        counts[command] += 1
        files[command] += len(manifest.files)
    return tuple((command, counts[command], files[command]) for command in sorted(counts))
