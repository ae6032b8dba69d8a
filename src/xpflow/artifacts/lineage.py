"""The lineage of files: what made them, from what, down to the first inputs, each compared with what it was.

Compared are the files themselves, every input of every stage behind them, and the manifests along the way.
Not compared: the code and the settings of the stages (the audit does), inputs from outside of the folder that
the study ran in, shards that were merged, which need not be there. What a pack left out is known by its hash
only. A `Lineage` counts all of these.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpflow.artifacts.graph import REPLACED, Graph, replaced, shards_of
from xpflow.artifacts.history import named
from xpflow.artifacts.manifest import InputRecord, Manifest
from xpflow.artifacts.places import NOT_HERE, OUTSIDE, relative

HIDDEN = ("command", "shard")
ORDER = ("model", "benchmark", "split", "run", "variant", "weights", "kind", "arm", "budget", "seed")
SHOWN = 160  # characters of a fact


@dataclass(frozen=True, slots=True)
class Step:
    """One stage of a lineage: `depth` stages back from the file; `sources` are the inputs that end here."""

    depth: int
    manifest: Manifest
    sources: tuple[InputRecord, ...]

    @property
    def title(self) -> str:
        """The stage in words: command and names."""
        stage = self.manifest.stage
        order = sorted(stage, key=lambda key: (ORDER.index(key) if key in ORDER else len(ORDER), key))
        names = " ".join(f"{key}={stage[key]}" for key in order if key not in HIDDEN and stage[key] != "")
        return f"xpflow {stage.get('command')} {names}".strip()


@dataclass(frozen=True, slots=True)
class Lineage:
    """The stages behind some files, nearest first, each once, and what was found on the way.

    issues: what does not fit, in words. compared: paths whose content was compared. left_out, outside,
    shards: paths that were known by their hash in a pack, not looked at, or merged into others.
    """

    steps: tuple[Step, ...]
    issues: tuple[str, ...]
    compared: frozenset[str]
    left_out: frozenset[str]
    outside: frozenset[str]
    shards: frozenset[str]

    @property
    def not_compared(self) -> str:
        """What was not compared by its content, in words; empty where all was."""
        words = (
            (self.outside, "from outside of the study's folder"),
            (self.left_out, "left out of the pack, known by hash only"),
            (self.shards, "merged and known by manifest only"),
        )
        return ", ".join(f"{len(paths)} {why}" for paths, why in words if paths)


def lineage_of(files: Sequence[Path], graph: Graph) -> Lineage:
    """Return the lineage of some files; what is broken or absent is an issue, never an exception."""
    places = [relative(file, graph.root) for file in files]
    starts = [made.manifest for place in places if (made := graph.maker(place))]
    steps, lost = _walk(starts, graph)
    shards = shards_of(one.manifest for one in steps)
    issues = [
        graph.flaw,
        *(_file_issue(place, graph) for place in places),
        *(why for path, why in lost if path not in shards),  # merged ones are gone with their manifests
        *(why for one in steps for why in _changed(one, graph, shards)),
    ]
    seen = {*places, *(source.path for one in steps for source in one.manifest.inputs)}
    outside, by_hash = {path for path in seen if path.startswith(f"{OUTSIDE}/")}, seen & graph.left_out.keys()
    return Lineage(
        tuple(steps),
        tuple(dict.fromkeys(why for why in issues if why)),
        compared=frozenset(seen - outside - by_hash - shards),
        left_out=frozenset(by_hash),
        outside=frozenset(outside),
        shards=frozenset(seen & shards),
    )


def rendered(steps: Sequence[Step]) -> Iterator[str]:
    """Yield a lineage in lines: each stage, what it made, its settings, code, software, and first inputs."""
    for step in steps:
        manifest, pad = step.manifest, "  " * step.depth
        names = [record.path for record in manifest.files]
        made = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        yield f"{pad}{step.title}"
        yield f"{pad}  made {made}; {manifest.started} to {manifest.ended}"
        settings = manifest.config.get("fingerprint") or "none"
        yield f"{pad}  settings {settings}, code {manifest.code}, {_software(manifest)}"
        yield from (f"{pad}  {key}: {_short(value)}" for key, value in manifest.facts.items())
        yield from (f"{pad}  {line}" for line in _sources(step.sources))


def verdict(lineage: Lineage, issues: Sequence[str] = (), also: str = "") -> Iterator[str]:
    """Yield the last lines: what does not fit, or that all fits, and what was not compared.

    `issues` come on top of the lineage's own; `also` says what else was compared and is equal.
    """
    found = dict.fromkeys((*issues, *lineage.issues))
    yield from (f"DOES NOT FIT: {why}" for why in found)
    if not found:
        yield f"Every file that was compared ({len(lineage.compared)}) is what it was{also}."
    if lineage.not_compared:
        yield f"Not compared: {lineage.not_compared}."


def _file_issue(place: str, graph: Graph) -> str:
    """Return what is wrong with a file that the lineage is of."""
    if place not in graph.left_out:
        return graph.file_flaw(place)
    made = graph.maker(place)
    if made and any(one.sha256 == graph.left_out[place] for one in made.manifest.files):
        return ""
    return f"{place} was left out of the pack, and no manifest lists it"


def _walk(starts: Sequence[Manifest], graph: Graph) -> tuple[list[Step], list[tuple[str, str]]]:
    """Return the stages behind some manifests, and (path, issue) of inputs whose makers do not fit."""
    steps: dict[str, Step] = {}
    lost: list[tuple[str, str]] = []
    waiting = deque((0, one) for one in starts)
    while waiting:
        depth, manifest = waiting.popleft()
        if manifest.digest in steps:
            continue
        sources, shards = [], iter(manifest.shards())
        for one in manifest.inputs:
            made, why = (next(shards), "") if one.record else _maker(one, graph, manifest)
            if why:
                lost.append((one.path, why))
            if made is None:
                sources.append(one)
            else:
                waiting.append((depth + 1, made))
        steps[manifest.digest] = Step(depth, manifest, tuple(sources))
    return list(steps.values()), lost


def _maker(one: InputRecord, graph: Graph, user: Manifest) -> tuple[Manifest | None, str]:
    """Return the manifest of what made an input (None: it is a first input), and what is wrong with it."""
    if one.path.partition("/")[0] in NOT_HERE:
        return None, ""
    made = graph.maker(one.path)
    if made is None:
        gone = f"its input {one.path} had a manifest, and none lists it now" if one.manifest else ""
        return None, graph.broken(one.path) or gone
    return made.manifest, REPLACED.format(one.path) if replaced(one, made.manifest, user) else ""


def _changed(step: Step, graph: Graph, shards: set[str]) -> Iterator[str]:
    """Yield what is wrong with the inputs of a stage; only shards that were merged may be gone."""
    for source in step.manifest.inputs:
        if source.path not in shards and (why := graph.input_flaw(source)):
            yield f"{step.title}: {why}"


def _sources(sources: Sequence[InputRecord]) -> Iterator[str]:
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
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
