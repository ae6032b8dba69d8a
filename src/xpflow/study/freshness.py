"""What of a study's files has to be made again, told from manifests and content alone.

A file is up to date where its manifest says that today's study, code and container would make it from the
inputs that are there now. No time of a file counts, and nothing that Snakemake remembers: a folder that was
moved, copied, restored or touched is judged by what is in it. The workflow asks once, before it plans.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from xpflow.artifacts.audit import SETTLED_BY
from xpflow.artifacts.graph import REPLACED, Folder, Graph, Node, replaced, shards_of, with_shards
from xpflow.artifacts.io import atomic_write_text, remembered_sha256
from xpflow.artifacts.manifest import ENDING, InputRecord, Manifest, files_below
from xpflow.artifacts.places import OUTSIDE
from xpflow.errors import XpflowError
from xpflow.hub.tables import source_files
from xpflow.study.config.root import StudyConfig
from xpflow.study.corpus import local_sources
from xpflow.study.layout import PRETRAIN, Layout
from xpflow.study.rows import kind_of
from xpflow.study.stages import GONE, expected_files, stage_code, stage_fingerprint, stage_plugins

Outdated = dict[
    str, str
]  # path, relative to the folder that the study runs in -> why it has to be made again
NO_STAGE = "the study has no such stage any more"
NOT_LISTED = "no manifest lists it"
_FOLLOWS = "made again is "  # and the path that comes first
MARK = Path(".snakemake/xpflow-out-of-date")  # beside what Snakemake keeps for itself
SHOWN = 3  # files that are named for one reason
FUTURE_S = 1 << 32  # the year 2106: newer than any file


def outdated(study: StudyConfig, container: str | None = None) -> Outdated:
    """Return the files of the study that runs in the working directory that have to be made again, and why.

    container: digest of the image that its stages would run in now; None outside of any.
    """
    layout = Layout.of(study.study.name)
    graph = Graph.of_study(layout.results, Path(), remembered_sha256)
    folders, _ = graph.below(
        [top for top in (layout.results, layout.figures, Path(PRETRAIN)) if top.is_dir()]
    )
    today = _Today(study, layout, container)
    expected = {file.as_posix() for file in expected_files(study, layout)}
    found = {path: NOT_LISTED for folder in folders for path in _unlisted(folder, layout, expected)}
    nodes = [(folder, node) for folder in folders for node in folder.nodes]
    for folder, node in nodes:
        if why := _why(folder, node, graph, today):
            found |= dict.fromkeys(_made(folder, node), why)
    return _with_what_follows(found, nodes, graph)


def told(found: Outdated, study: StudyConfig) -> list[str]:
    """Return what is out of date, in a line for each reason; what merely follows from that is left out."""
    files, layout = defaultdict[str, list[str]](list), Layout.of(study.study.name)
    expected = {file.as_posix() for file in expected_files(study, layout)}
    for path, why in found.items():
        names = layout.names_at(path)
        if why != NO_STAGE and not why.startswith(_FOLLOWS) and (path in expected or "arm" not in names):
            files[why].append(path)
    return [f"out of date: {_listed(paths)} ({why})" for why, paths in files.items()]


def mark(found: Outdated) -> Path:
    """Write down what is out of date, in a file newer than any: it is an input of the jobs that have to run.

    Snakemake runs a job again if an input is newer than its outputs and has other content than at the last
    run. So the content is new each time, and the file a link, whose target's time no clock can reach.
    """
    target = MARK.with_suffix(".json")
    atomic_write_text(target, json.dumps({"asked": uuid.uuid4().hex, "files": found}, indent=1))
    os.utime(target, (FUTURE_S, FUTURE_S))
    link = MARK.with_suffix(f".{os.getpid()}")
    link.symlink_to(target.name)
    os.replace(link, MARK)
    return MARK


def no_future(study: StudyConfig) -> None:
    """Give files of a study that are from the future today's time.

    Snakemake takes an output that is older than an input for the work of a wrong clock, and throws it away.
    """
    layout, now = Layout.of(study.study.name), time.time()
    for folder, _, names in chain(os.walk(layout.results), os.walk(layout.figures)):
        for file in (os.path.join(folder, name) for name in names):
            with suppress(OSError):  # gone by now, or not ours
                if os.stat(file).st_mtime > now:
                    os.utime(file)


class _Today:
    """What a stage would write into its manifest now, each asked once."""

    def __init__(self, study: StudyConfig, layout: Layout, container: str | None) -> None:
        self.study, self.layout, self.container = study, layout, container
        self.outside = _outside_files(study)
        self._codes: dict[tuple[str, ...], str] = {}
        self._known: dict[str, tuple[str | None, str]] = {}

    def names_at(self, path: str) -> dict[str, str]:
        """Return the names that the manifest at a path has to have."""
        names = self.layout.names_at(path)
        if "split" not in names and names.keys() == {"benchmark"}:
            chosen = {one.name: one.split for one in self.study.problems.benchmarks}
            names |= {"split": chosen[names["benchmark"]]} if names["benchmark"] in chosen else {}
        return names

    def outside_flaw(self, one: InputRecord) -> str:
        """Return that an input from elsewhere changed, where the study says which file it is; or nothing."""
        name = one.path.rpartition("/")[2]
        files = self.outside.get(name, []) if one.path.startswith(f"{OUTSIDE}/") else []
        same = not files or any(remembered_sha256(file) == one.sha256 for file in files)
        return "" if same else f"its input {name}, from outside of this folder, changed"

    def flaw(self, manifest: Manifest, names: Mapping[str, str]) -> str:
        """Return why a stage would not be as its manifest has it, or nothing; `names` are its place's."""
        command, config = manifest.stage["command"], manifest.config
        settings, code = self._of(manifest.stage)
        container = manifest.environment.get("container")
        if GONE in (settings, code):
            return NO_STAGE
        if command != "pretrain" and config.get("study", self.study.study.name) != self.study.study.name:
            return f"it was made for another study, {config['study']}"
        if other := _other_place(manifest.stage, names):
            return f"it is not of this place, but of {other}"
        if settings != config.get("fingerprint"):
            return f"the study's settings for `xpflow {command}` changed"
        if code != manifest.code:
            return f"the code behind `xpflow {command}` changed"
        if container != self.container:
            return f"it was made {_inside(container)}, and would now be made {_inside(self.container)}"
        return ""

    def _of(self, stage: Mapping[str, Any]) -> tuple[str | None, str]:
        """Return the fingerprints of a stage's settings and code; GONE where the study has no such stage."""
        names = {key: value for key, value in stage.items() if key != "shard"}
        key = json.dumps(names, sort_keys=True)
        if key not in self._known:
            try:
                self._known[key] = stage_fingerprint(self.study, names), self._code(names)
            except (XpflowError, KeyError, TypeError, ValueError):
                self._known[key] = GONE, GONE
        return self._known[key]

    def _code(self, names: Mapping[str, Any]) -> str:
        """Return the fingerprint of a stage's code; those that chose the same plug-ins share it."""
        key = (str(names["command"]), *stage_plugins(self.study, names))
        if key not in self._codes:
            self._codes[key] = stage_code(self.study, names)
        return self._codes[key]


def _why(folder: Folder, node: Node, graph: Graph, today: _Today) -> str:
    """Return why what a manifest lists has to be made again, whatever becomes of its inputs; or nothing."""
    if node.manifest is None:
        return node.flaw
    if node.manifest.stage["command"] == SETTLED_BY:  # the study's own file, written before each run
        return ""
    for record in node.manifest.files:
        path = folder.place(record.path)
        left = graph.left_out.get(path) == record.sha256 and not os.path.lexists(graph.root / path)
        if not left and (flaw := graph.file_flaw(path)):
            return flaw
    names = today.names_at(node.path)
    stages = list(with_shards(node.manifest))
    flaws = (today.flaw(one, names) for one in stages)
    return next((flaw for flaw in chain(flaws, _input_flaws(stages, graph, today)) if flaw), "")


def _input_flaws(stages: Sequence[Manifest], graph: Graph, today: _Today) -> Iterator[str]:
    """Yield what is wrong with the inputs of a stage and of the shards that it merged."""
    shards = shards_of(stages)
    for manifest in stages:
        for one in manifest.inputs:
            if one.path in shards:
                continue
            yield graph.input_flaw(one) or today.outside_flaw(one)
            made = graph.maker(one.path) if one.manifest else None
            if one.manifest and made is None:
                yield f"no manifest lists its input {one.path}"
            if made and replaced(one, made.manifest, manifest):
                yield REPLACED.format(one.path)


def _with_what_follows(found: Outdated, nodes: Sequence[tuple[Folder, Node]], graph: Graph) -> Outdated:
    """Add what was made from files that are out of date, and what a pack left out and is needed again."""
    users: dict[str, list[tuple[Folder, Node]]] = defaultdict(list)
    sources: dict[str, set[str]] = {}
    for folder, node in nodes:
        if node.manifest is not None and node.manifest.stage["command"] != SETTLED_BY:
            inputs = {one.path for made in with_shards(node.manifest) for one in made.inputs}
            sources |= dict.fromkeys(_made(folder, node), inputs)
            for path in inputs:
                users[path].append((folder, node))
    makers = {path: pair for pair in nodes for path in _made(*pair)}
    waiting = deque(found)
    while waiting:
        path = waiting.popleft()
        after = {one: f"{_FOLLOWS}{path}" for pair in users[path] for one in _made(*pair)}
        needed = [one for one in sources.get(path, ()) if one in graph.left_out and one in makers]
        absent = (one for one in needed if not os.path.lexists(graph.root / one))
        before = {made: f"a pack left {one} out" for one in absent for made in _made(*makers[one])}
        for one, why in (after | before).items():
            if one not in found:
                found[one] = why
                waiting.append(one)
    return found


def _made(folder: Folder, node: Node) -> list[str]:
    """Return the paths that become out of date together: a manifest and what it lists."""
    listed = node.manifest.files if node.manifest else ()
    return [node.path, *(folder.place(record.path) for record in listed)]


def _unlisted(folder: Folder, layout: Layout, expected: Collection[str]) -> Iterator[str]:
    """Yield the files in places of the study's own that no manifest lists."""
    listed = {record.path for node in folder.nodes if node.manifest for record in node.manifest.files}
    for name in folder.files:
        path = folder.place(name)
        if name not in listed and (path in expected or layout.names_at(path)):
            yield path


def _other_place(stage: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Return the names of a stage that are not those of its place."""
    own = dict(stage)
    if stage["command"] == "evaluate" and {"weights", "trained"} <= stage.keys():
        own["kind"] = kind_of(stage["weights"], stage["trained"])
    other = {key: own[key] for key in own.keys() & names.keys() if str(own[key]) != names[key]}
    return ", ".join(f"{key} {value}" for key, value in sorted(other.items()))


def _outside_files(study: StudyConfig) -> dict[str, list[Path]]:
    """Return the files that a study names by a path, by their names: local data, and models' folders."""
    sources = study.problems.sources.model_dump()
    values = [*sources.pop("files").values(), *sources.values()]
    data = [*(Path(one) for one in values if isinstance(one, str | Path)), *local_sources(study)]
    places = [file for one in data for file in source_files(one)]
    places += [Path(model.directory) for model in study.models if model.directory]
    found: dict[str, list[Path]] = defaultdict(list)
    for file in files_below([place for place in places if place.exists()]):
        found[file.name].append(file)
    return found


def _inside(container: str | None) -> str:
    return f"in container {container}" if container else "outside of any container"


def _listed(paths: Sequence[str]) -> str:
    shown = [path for path in paths if not path.endswith(ENDING)] or list(paths)
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return ", ".join(shown[:SHOWN]) + more
