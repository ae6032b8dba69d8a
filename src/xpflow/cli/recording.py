"""The record of a stage of a study: what its manifest says beside its files (`xpflow.artifacts.record`)."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xpflow.artifacts.record import Record, portable
from xpflow.study.config import StudyConfig
from xpflow.study.stages import config_facts, stage_plugins

NOT_READ = (".md", ".py", ".bin")

if TYPE_CHECKING:
    from xpflow.study.config.inputs import ModelChoice


def stage_record(study: StudyConfig, command: str, **names: Any) -> Record:
    """Return the record of a stage; `names` are its wildcards (model, benchmark, seed, ...).

    A stage that runs a model of the study notes where its base weights come from, the hash of its tokenizer,
    device and precision; one that asks it problems, the protocol and the hash of its prompt template too.
    """
    stage = {"command": command, **names}
    plugins = stage_plugins(study, stage)
    record = Record(command, names, config_facts(study, stage), plugins)
    kinds = {plugin.partition(":")[0] for plugin in plugins}
    if "architecture" in kinds and "model" in names:
        choice = study.model(names["model"])
        record.facts.update(_model_facts(study, choice))
        record.facts.update(device=study.runtime.device, dtype=study.runtime.dtype)
        if "protocol" in kinds:
            record.facts.update(_protocol_facts(study, choice))
    return record


def _model_facts(study: StudyConfig, choice: ModelChoice) -> dict[str, Any]:
    """Return the hash of a model's tokenizer, and its hub revision where it has one."""
    from xpflow.models.registry import hub_model, tokenizer_folder
    from xpflow.models.stored import tokenizer_sha256
    from xpflow.runtime.models import model_source

    repo = None if choice.directory else hub_model(choice.name)
    source = {"hub": repo.hub_id, "revision": repo.revision} if repo else _folder(choice)
    folder = tokenizer_folder(model_source(study, choice.name))
    return {
        "tokenizer": tokenizer_sha256(folder),
        "model": {"name": choice.name, **source},
    }


def _protocol_facts(study: StudyConfig, choice: ModelChoice) -> dict[str, Any]:
    """Return a model's protocol, and the hash of what it makes of fixed problems."""
    from xpflow.models.load import named_tokenizer
    from xpflow.protocols.find import find_protocol
    from xpflow.protocols.prompter import Prompter
    from xpflow.runtime.models import model_source

    protocol = find_protocol(choice.protocol)
    tokenizer = named_tokenizer(model_source(study, choice.name))
    return {"protocol": protocol.label, "template": Prompter(protocol, tokenizer).template_hash()}


def _folder(choice: ModelChoice) -> dict[str, Any]:
    """Return where a model's own weights lie, without the absolute part; None for one that ships with us."""
    return {"folder": portable(Path(choice.directory)) if choice.directory else None}


def source_facts(study: StudyConfig) -> dict[str, Any]:
    """Return where the study's data comes from: revisions of the hub, names of local files.

    `unpinned` lists the revisions that may move: a branch or a tag, where a commit is asked for.
    """
    sources = study.problems.sources.model_dump(mode="json")
    sources |= sources.pop("files")
    moving = [
        f"the revision {value!r} ({key})"
        for key, value in sources.items()
        if key.endswith("_revision") and isinstance(value, str) and not re.fullmatch(r"[0-9a-f]{40}", value)
    ]
    return {
        "sources": {
            key: Path(value).name if isinstance(value, str) and "/" in value else value
            for key, value in sources.items()
        },
        **({"unpinned": moving} if moving else {}),
    }


def taken(record: Record, out: Path, name: str) -> bool:
    """Return whether the shared cache had what a stage would make; it is in `out` then, with its manifest.

    Not for one of several processes that a cluster started: the others would wait for it.
    """
    from xpflow.artifacts.shared_cache import SharedCache
    from xpflow.runtime.processes import in_team

    cache = SharedCache.of_environment()
    if cache is None or in_team() or cache.take(record, out, name) is None:
        return False
    for left in out.parent.glob(f"{out.name}.state*"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    print(f"taken from the shared cache, not made anew -> {out}", file=sys.stderr)
    return True


def give(manifest: Path) -> None:
    """Add what a manifest lists to the shared cache; one that cannot be written to stops no study."""
    from xpflow.artifacts.shared_cache import SharedCache
    from xpflow.errors import ArtifactError

    cache = SharedCache.of_environment()
    try:
        if cache is not None and cache.put(manifest):
            print(f"added to the shared cache in {cache.folder}", file=sys.stderr)
    except ArtifactError as error:
        print(f"not added to the shared cache: {error}", file=sys.stderr)


def base_files(study: StudyConfig, model: str) -> list[Path]:
    """Return the files of a model's base weights, or of a checkpoint folder: they count as inputs."""
    from xpflow.artifacts.manifest import files_below
    from xpflow.models.registry import model_folder
    from xpflow.runtime.models import model_source

    folder = model_folder(model_source(study, model))
    return [file for file in files_below([folder]) if file.suffix not in NOT_READ]


def local_sources(study: StudyConfig) -> list[Path]:
    """Return the local data files that a study names, all of a folder's."""
    from xpflow.hub.tables import source_files

    sources = study.problems.sources
    named = sources.model_dump(exclude={"files"}).items()
    files = [value for key, value in named if not key.endswith("_revision")]
    places = [Path(value) for value in (*files, *sources.files.values()) if value]
    return [file for place in places for file in source_files(place)]
