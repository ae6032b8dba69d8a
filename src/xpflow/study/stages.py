"""The stages of a study as manifests name them, their fingerprints, and the files that a study ends with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from xpflow.errors import ConfigError
from xpflow.study import fingerprints as fp
from xpflow.study.config.root import StudyConfig
from xpflow.study.rows import aligned_runs, expand, find_job, policy_seeds, trace_row


def figure_names(study: StudyConfig) -> list[str]:
    """Return the names of a study's figures, without endings."""
    return [
        *("figure_2a", "figure_2b", "sweep_budget", "sweep_nfe"),
        *(["grpo"] if policy_seeds(study) else []),
        *(["trace"] if trace_row(study) else []),
    ]


def drawn_files(study: StudyConfig) -> list[str]:
    """Return the figures and the traced decoding behind one of them, relative to where the study ran."""
    name = study.study.name
    files = [
        f"paper_figures/{name}/{figure}.{ending}"
        for figure in figure_names(study)
        for ending in study.reporting.figure_formats
    ]
    return [*files, *([f"results/{name}/trace.npz"] if trace_row(study) else [])]


Stage = Mapping[str, Any]
GONE = "gone"  # the fingerprint of a stage that the study has no more

# command -> the fingerprint of what its stage reads of the study
_OF: dict[str, Callable[[StudyConfig, Stage], str]] = {
    "problems": lambda study, stage: (
        fp.training_problems(study) if stage["split"] == "train" else fp.problems(study, stage["benchmark"])
    ),
    "pretrain": lambda study, stage: fp.fingerprint(study.pretrain),
    "selfdata": lambda study, stage: fp.selfdata(study, stage["model"]),
    "align": lambda study, stage: fp.align(study, stage["model"], stage["variant"]),
    "solvable": lambda study, stage: fp.solvable(study, stage["model"]),
    "grpo": lambda study, stage: fp.grpo(study),
    "evaluate": lambda study, stage: fp.decode(
        study, find_job(study, stage["model"], stage["benchmark"], stage["kind"], stage["seed"])
    ),
    "grade": lambda study, stage: fp.grade(study),
    "trace": lambda study, stage: fp.trace(study),
    "prompts": lambda study, stage: fp.prompts(study),
    "tables": lambda study, stage: fp.report(study),
    "figures": lambda study, stage: fp.report(study),
}


def stage_fingerprint(study: StudyConfig, stage: Stage) -> str | None:
    """Return the fingerprint of a stage's settings in a study; None for a stage that reads none."""
    find = _OF.get(str(stage.get("command")))
    if find is None:
        return None
    try:
        return find(study, stage)
    except (KeyError, ConfigError):
        return GONE


def config_facts(study: StudyConfig, stage: Stage) -> dict[str, Any]:
    """Return what a manifest says of the configuration: the study's name and the stage's fingerprint."""
    return {"study": study.study.name, "fingerprint": stage_fingerprint(study, stage)}


def expected_files(study: StudyConfig) -> list[str]:
    """Return the files that a finished study has, relative to the folder that it ran in."""
    results, figures = f"results/{study.study.name}", f"paper_figures/{study.study.name}"
    files = [
        f"{results}/{row.folder}/{name}.jsonl" for row in expand(study) for name in ("samples", "verdicts")
    ]
    files += [
        f"{results}/{model}/aligned/{variant}/seed{seed}/{name}"
        for model, variant, seed in aligned_runs(study)
        for name in ("config.json", "log.jsonl")
    ]
    files += [
        f"{results}/policy/seed{seed}/{name}"
        for seed in policy_seeds(study)
        for name in ("policy.safetensors", "log.jsonl")
    ]
    tables = ("table1", "table2", "contrasts", "alignment")
    files += [f"{figures}/{name}.{ending}" for name in tables for ending in ("md", "tex", "csv")]
    return [*files, *(f"{figures}/{name}" for name in ("claims.md", "claims.json", "prompts.md"))]
