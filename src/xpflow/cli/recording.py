"""The record of a stage of a study: what its manifest says beside its files (`xpflow.artifacts.record`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from xpflow.artifacts.record import Record
from xpflow.config import StudyConfig, aligned_runs, expand, policy_seeds
from xpflow.config.stages import config_facts

NOT_READ = (".md", ".py", ".bin")

if TYPE_CHECKING:
    from xpflow.config.models import ModelChoice


def stage_record(study: StudyConfig, command: str, **names: Any) -> Record:
    """Return the record of a stage; `names` are its wildcards (model, benchmark, seed, ...).

    A `model` of the study brings its protocol and where its base weights come from, and the stage is said to
    have run on the study's device, in its precision.
    """
    record = Record(command, names, config_facts(study, {"command": command, **names}))
    models = {choice.name: choice for choice in study.models}
    if names.get("model") in models:
        record.facts.update(_model_facts(models[names["model"]]))
        record.facts.update(device=study.runtime.device, dtype=study.runtime.dtype)
    return record


def _model_facts(choice: ModelChoice) -> dict[str, Any]:
    """Return a model's protocol, and its hub revision where it is a published one."""
    from xpflow.hub.catalogue import hub_model
    from xpflow.protocols import find_protocol

    repo = None if choice.directory else hub_model(choice.name)
    source = {"hub": repo.hub_id, "revision": repo.revision} if repo else {"folder": choice.directory}
    return {"protocol": find_protocol(choice.protocol).label, "model": {"name": choice.name, **source}}


def source_facts(study: StudyConfig) -> dict[str, Any]:
    """Return where the study's data comes from: revisions of the hub, names of local files."""
    sources = study.problems.sources.model_dump(mode="json")
    return {
        "sources": {
            key: Path(value).name if value and "/" in value else value for key, value in sources.items()
        }
    }


def base_files(study: StudyConfig, model: str) -> list[Path]:
    """Return the files of a model's base weights, or of a checkpoint folder: they count as inputs."""
    from xpflow.artifacts.manifest import files_below
    from xpflow.models.registry import model_folder
    from xpflow.training.stage import model_source

    folder = model_folder(model_source(study, model))
    return [file for file in files_below([folder]) if file.suffix not in NOT_READ]


def local_sources(study: StudyConfig) -> list[Path]:
    """Return the local data files that a study names."""
    values = study.problems.sources.model_dump(exclude={"mbpp_revision", "tulu3_personas_revision"}).values()
    return [Path(value) for value in values if value]


def evaluated_files(study: StudyConfig, results: Path) -> list[Path]:
    """Return what the tables of a study are made of: samples, verdicts and the logs of alignment."""
    files = [
        results / row.folder / name for row in expand(study) for name in ("samples.jsonl", "verdicts.jsonl")
    ]
    logs = [
        results / model / "aligned" / variant / f"seed{seed}" / "log.jsonl"
        for model, variant, seed in aligned_runs(study)
    ]
    return files + logs


def policy_logs(study: StudyConfig, results: Path) -> list[Path]:
    """Return the logs of the study's own policy training."""
    return [results / "policy" / f"seed{seed}" / "log.jsonl" for seed in policy_seeds(study)]
