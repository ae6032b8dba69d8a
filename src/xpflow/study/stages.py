"""The stages of a study: what each reads, uses and makes, in one table.

The workflow's params, the manifests, the audit and the packs read it. A stage is named as manifests name it:
{"command": ..., further names}.
"""

from __future__ import annotations

from dataclasses import astuple
from math import ceil
from pathlib import Path
from typing import Any

from xpflow.artifacts.code import code_fingerprint
from xpflow.errors import ConfigError
from xpflow.study import fingerprints as fp
from xpflow.study import plugins
from xpflow.study.config.frontier import FrontierBlock
from xpflow.study.config.root import StudyConfig
from xpflow.study.corpus_stages import CORPUS_STAGES, corpus_files
from xpflow.study.layout import (
    LOG,
    NOISY_FILES,
    POLICY,
    TEXT_FILES,
    TEXT_WEIGHTS,
    Layout,
    probe_file_names,
)
from xpflow.study.measured import measures_of
from xpflow.study.probes import ProbeJob, find_probe, policy_trainings, probe_jobs, with_train_budget
from xpflow.study.rows import (
    Job,
    expand,
    find_job,
    policy_seeds,
    takes_several,
    trace_row,
    trained_runs,
)
from xpflow.study.stage import Names, Stage
from xpflow.study.text import CouplingJob, coupling_jobs, find_couplings, find_text, text_jobs
from xpflow.study.text_tables import (
    corpus_figure_names,
    corpus_table_names,
    text_figure_names,
    text_table_names,
)

JOB = ("model", "benchmark", "weights", "trained", "seed")  # the names of a decoding job
TEXT = ("world", "run", "seed")  # of a training of block `text`
COUPLINGS = (*TEXT, "pairs", "steps")  # of couplings that its model makes
MOST_SERIES = 7  # of the first figure of the sweep; the rest have a second one
FACTORIAL_TABLES = ("factorial", "factorial_effects", "factorial_shares", "factorial_claims")
MULTIVERSE_TABLES = ("multiverse", "multiverse_readings", "multiverse_claims")
GONE = "gone"  # the fingerprint of a stage that the study has no more


def table_names(study: StudyConfig) -> list[str]:
    """Return the names of a study's tables, without endings."""
    several = ["pass_at_k"] if takes_several(study) else []
    measured = ["measures"] if measures_of(study) else []
    trained = ["alignment"] if trained_runs(study) else []
    curves = ["frontier", "frontier_points", "frontier_claims"] if study.frontier.curves else []
    costs = ["training_cost"] if study.reporting.training_cost else []
    probes = probe_table_names(study)
    cells = list(FACTORIAL_TABLES) if study.factorial.factors else []
    readings = list(MULTIVERSE_TABLES) if study.multiverse.readings else []
    decoded = ["table1", "table2", "contrasts"] if study.models else []
    texts = [*text_table_names(study), *corpus_table_names(study)]
    blocks = [*curves, *costs, *probes, *cells, *readings, *texts]
    return [*decoded, *several, *measured, *trained, *blocks]


def probe_table_names(study: StudyConfig) -> list[str]:
    """Return the names of the tables of a study's probes."""
    followed = ["probes_policies"] if study.probes.policies else []
    passes = ["probes_likelihood"] if study.probes.passes else []
    mixed = ["probes", *followed, *passes, "probes_claims"] if probes_mixed(study) else []
    return [*mixed, *(["noisy", "noisy_snr", "noisy_claims"] if study.probes.noisy.readers else [])]


def frontier_figures(block: FrontierBlock) -> list[str]:
    """Return the names of the figures of a study's curves: the reference is in each of them."""
    others = len(block.names) - 1
    return [f"frontier_{number + 1}" for number in range(max(1, ceil(others / (MOST_SERIES - 1))))]


def figure_names(study: StudyConfig) -> list[str]:
    """Return the names of a study's figures, without endings."""
    return [
        *(["figure_2a", "figure_2b"] if trained_runs(study) else []),
        *(["sweep_budget", "sweep_nfe"] if study.models else []),
        *(
            ["sweep_budget_rest", "sweep_nfe_rest"]
            if len({row.arm for row in expand(study)} & {arm.name for arm in study.evaluation.arms})
            > MOST_SERIES
            else []
        ),
        *(["grpo"] if policy_seeds(study) else []),
        *(["trace"] if trace_row(study) else []),
        *(frontier_figures(study.frontier) if study.frontier.curves else []),
        *(["probes_validity"] if probes_mixed(study) else []),
        *(["probes_recovery"] if probes_mixed(study) and study.probes.policies else []),
        *(["noisy"] if study.probes.noisy.readers else []),
        *(["factorial"] if study.factorial.factors else []),
        *(["multiverse"] if study.multiverse.readings else []),
        *text_figure_names(study),
        *corpus_figure_names(study),
    ]


def evaluated_files(study: StudyConfig, layout: Layout) -> list[Path]:
    """Return samples and verdicts of all rows."""
    return [file for row in expand(study) for file in layout.row_files(row)]


def training_logs(study: StudyConfig, layout: Layout) -> list[Path]:
    """Return the curves of all training runs."""
    return [layout.run_log(*run) for run in trained_runs(study)]


def probes_mixed(study: StudyConfig) -> bool:
    """Return whether a study probes mixed states."""
    return bool(study.probes.places) and study.probes.mixed


def probe_outputs(study: StudyConfig) -> tuple[str, ...]:
    """Return the names of the files of a probing job: of mixed states, of noisy text, or both."""
    noisy = NOISY_FILES if study.probes.noisy.readers else ()
    return (*(probe_file_names(study) if study.probes.mixed else ()), *noisy)


def probe_files(study: StudyConfig, layout: Layout) -> list[Path]:
    """Return the files of all probing jobs."""
    folders = [layout.probe(job.model, job.benchmark, job.place, job.seed) for job in probe_jobs(study)]
    return [folder / name for folder in folders for name in probe_outputs(study)]


def text_files(study: StudyConfig, layout: Layout) -> list[Path]:
    """Return recipe, log and scores of all trainings of block `text`."""
    folders = [layout.text(job.world, job.run, job.seed) for job in text_jobs(study)]
    return [folder / name for folder in folders for name in TEXT_FILES]


def _text_made(study: StudyConfig, layout: Layout) -> list[Path]:
    folders = [layout.text_checkpoint(job.world, job.run, job.seed) for job in text_jobs(study)]
    return [*text_files(study, layout), *(folder / name for folder in folders for name in TEXT_WEIGHTS)]


def policy_logs(study: StudyConfig, layout: Layout) -> list[Path]:
    """Return the learning curves of the study's own policy."""
    return [layout.policy_log(seed) for seed in policy_seeds(study)]


def _checkpoints(study: StudyConfig, layout: Layout) -> list[Path]:
    folders = (layout.run(*run) for run in trained_runs(study))
    return [folder / name for folder in folders for name in ("config.json", LOG)]


def _policies(study: StudyConfig, layout: Layout) -> list[Path]:
    folders = [layout.policy(seed) for seed in policy_seeds(study)]
    folders += [layout.probe_policy(*one) for one in policy_trainings(study)]
    return [folder / name for folder in folders for name in (POLICY, LOG)]


def table_files(study: StudyConfig, layout: Layout) -> list[Path]:
    """Return the tables and claims."""
    claims = [layout.figure("claims", ending) for ending in ("md", "json")]
    return [*(file for name in table_names(study) for file in layout.table(name)), *claims]


def figure_files(study: StudyConfig, layout: Layout) -> list[Path]:
    """Return the figures."""
    endings = study.reporting.figure_formats
    return [layout.figure(name, ending) for name in figure_names(study) for ending in endings]


def table_inputs(study: StudyConfig, layout: Layout) -> list[Path]:
    """Return what the tables are made from."""
    return [
        *evaluated_files(study, layout),
        *training_logs(study, layout),
        *probe_files(study, layout),
        *text_files(study, layout),
        *corpus_files(study, layout),
    ]


def figure_inputs(study: StudyConfig, layout: Layout) -> list[Path]:
    """Return what the figures are made from, but for a trace."""
    return [*table_inputs(study, layout), *policy_logs(study, layout)]


def report_inputs(study: StudyConfig, layout: Layout) -> list[Path]:
    """Return what the report is made from; a study may lack its problems and its trace."""
    problems = (layout.problems(name) for name in study.benchmark_names)
    return [*figure_inputs(study, layout), *problems, layout.trace]


STAGES: dict[str, Stage] = {
    "problems": Stage(
        lambda study, names: (
            fp.training_problems(study)
            if names["split"] == "train"
            else fp.problems(study, names["benchmark"])
        ),
        lambda study, names: plugins.problems(study, names["benchmark"]),
    ),
    "pretrain": Stage(
        lambda study, names: fp.fingerprint(study.pretrain),
        lambda study, names: plugins.pretrain(study, names["model"]),
    ),
    "selfdata": Stage(
        lambda study, names: fp.selfdata(study, names["model"]),
        lambda study, names: plugins.selfdata(study, names["model"]),
    ),
    "grade-answers": Stage(
        lambda study, names: fp.grade_answers(study, names["model"]),
        lambda study, names: plugins.grade_answers(study, names["model"]),
    ),
    "train": Stage(
        lambda study, names: fp.train(study, names["model"], names["run"]),
        lambda study, names: plugins.train(study, names["model"], names["run"]),
        _checkpoints,
    ),
    "solvable": Stage(
        lambda study, names: fp.solvable(study, names["model"]),
        lambda study, names: plugins.solvable(study, names["model"]),
    ),
    "grpo": Stage(
        lambda study, names: fp.grpo(with_train_budget(study, names.get("train_budget"))),
        lambda study, names: plugins.grpo(study),
        _policies,
    ),
    "evaluate": Stage(
        lambda study, names: fp.decode(study, _job(study, names)),
        lambda study, names: plugins.evaluate(study, _job(study, names)),
    ),
    "grade": Stage(
        lambda study, names: fp.grade(study, names["model"]),
        lambda study, names: plugins.grade(study, names["model"], names["benchmark"]),
    ),
    "probe": Stage(
        lambda study, names: fp.probe(study, _probe(study, names)),
        lambda study, names: plugins.probe(study, _probe(study, names)),
        probe_files,
    ),
    "text-train": Stage(
        lambda study, names: fp.text_train(study, find_text(study, *(names[key] for key in TEXT))),
        lambda study, names: plugins.text(study, names["world"], names["run"]),
        _text_made,
    ),
    "text-couple": Stage(
        lambda study, names: fp.text_couple(find_couplings(study, _couplings(names))),
        lambda study, names: plugins.text(study, names["world"], names["run"]),
        lambda study, layout: [layout.couplings(*astuple(job)) for job in coupling_jobs(study)],
    ),
    **CORPUS_STAGES,
    "merge": Stage(None, makes=evaluated_files),
    "trace": Stage(
        lambda study, names: fp.trace(study),
        lambda study, names: plugins.trace(study),
        lambda study, layout: [layout.trace] if trace_row(study) else [],
    ),
    "prompts": Stage(
        lambda study, names: fp.prompts(study),
        lambda study, names: plugins.prompts(study),
        lambda study, layout: [layout.figure("prompts", "md")] if study.models else [],
    ),
    "tables": Stage(
        lambda study, names: fp.report(study), lambda study, names: plugins.report(study), table_files
    ),
    "figures": Stage(
        lambda study, names: fp.report(study), lambda study, names: plugins.figures(study), figure_files
    ),
    "report": Stage(
        lambda study, names: fp.page(study),
        lambda study, names: plugins.page(study),
        lambda study, layout: [layout.figure("report", "html")],
    ),
}


def _job(study: StudyConfig, names: Names) -> Job:
    return find_job(study, *(names[key] for key in JOB))


def _probe(study: StudyConfig, names: Names) -> ProbeJob:
    return find_probe(study, names["place"], names["benchmark"], names["seed"])


def _couplings(names: Names) -> CouplingJob:
    return CouplingJob(*(names[key] for key in COUPLINGS))


def job_stage(job: Job) -> dict[str, Any]:
    """Return the stage of a decoding job, as manifests name it."""
    return {"command": "evaluate", **{name: getattr(job, name) for name in JOB}}


def stage_fingerprint(study: StudyConfig, names: Names) -> str | None:
    """Return the fingerprint of a stage's settings in a study; None for a stage that reads none."""
    stage = STAGES.get(str(names.get("command")))
    if stage is None or stage.settings is None:
        return None
    try:
        return stage.settings(study, names)
    except (KeyError, ConfigError):
        return GONE


def stage_plugins(study: StudyConfig, names: Names) -> list[str]:
    """Return the plug-ins that a stage chose, as "decoder:flow"."""
    stage = STAGES.get(str(names.get("command")))
    return sorted(stage.plugins(study, names)) if stage else []


def stage_code(study: StudyConfig, names: Names) -> str:
    """Return the fingerprint of the code behind a stage: its command's, and that of what it chose."""
    return code_fingerprint(names["command"], stage_plugins(study, names))


def config_facts(study: StudyConfig, names: Names) -> dict[str, Any]:
    """Return what a manifest says of the configuration: the study's name and the stage's fingerprint."""
    return {"study": study.study.name, "fingerprint": stage_fingerprint(study, names)}


def expected_files(study: StudyConfig, layout: Layout) -> list[Path]:
    """Return the files that a finished study has."""
    return [file for stage in STAGES.values() for file in stage.makes(study, layout)]
