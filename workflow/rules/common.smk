"""The study, its paths and the only helper functions of the workflow."""

import os
import re
from pathlib import Path

from snakemake.exceptions import WorkflowError

from xpflow.artifacts.code import code_fingerprint
from xpflow.artifacts.manifest import ENDING
from xpflow.errors import XpflowError
from xpflow.images import choose_container
from xpflow.study import fingerprints as fp
from xpflow.study.config import load_study
from xpflow.study.needs import repo_of_benchmark, repo_of_model, repos_of
from xpflow.study.rows import (
    aligned_runs,
    find_arm,
    job_groups,
    jobs_of,
    kind_of,
    policy_seeds,
    trace_row,
)
from xpflow.study.stages import figure_names


def either(names):
    """Return a wildcard's pattern for any of the names."""
    return "|".join(re.escape(str(name)) for name in names)


def chosen_config():
    """Return the study's file: the one of --configfile, or the default."""
    settings = workflow.config_settings
    if len(settings.configfiles) > 1 or settings.config:
        raise WorkflowError(
            "a study is one file: give one --configfile and no --config;"
            " the file holds only what differs from config/micro.yaml"
        )
    files = settings.configfiles
    return os.path.relpath(files[0]) if files else "config/micro.yaml"


def validated(path):
    """Return the study and what it needs of the model hub, or stop with key, file and nearest valid key."""
    try:
        study = load_study(path)
        return study, {repo.name: repo for repo in repos_of(study)}
    except XpflowError as error:
        raise WorkflowError(str(error)) from None


def chosen_container():
    """Return the image of every rule, from containers/images.*.yaml; with --use-singularity it must be there."""
    methods = workflow.deployment_settings.deployment_method
    used = any(method.name == "APPTAINER" for method in methods)
    places = [model.directory for model in STUDY.models]
    places += STUDY.problems.sources.model_dump().values()
    binds = [path for path in places if path and os.path.exists(path)]
    try:
        return choose_container(
            workflow.basedir, used=used, binds=binds, hub=bool(REPOS)
        )
    except XpflowError as error:
        raise WorkflowError(str(error)) from None


CONFIG = chosen_config()
STUDY, REPOS = validated(CONFIG)
CONTAINER = chosen_container()
RESULTS = f"results/{STUDY.study.name}"
FIGURES = f"paper_figures/{STUDY.study.name}"
LOGS = f"{RESULTS}/logs"
TIMES = f"{RESULTS}/benchmarks"
ENVIRONMENT = "../../environment.yml"

# Every command reads the study from this file, written before the first job. It is no input of the rules: what
# a changed setting runs again is decided by the fingerprints in their params.
STUDY_FILE = f"{RESULTS}/study.yaml"
# GPUs that a job which runs a model asks the scheduler for; a training job has one for each of its processes.
GPUS = int(STUDY.runtime.device.startswith("cuda"))
TRAINING_GPUS = GPUS * STUDY.runtime.processes
TRAINING_THREADS = STUDY.runtime.threads * STUDY.runtime.processes
JOBS = {(job.model, job.benchmark, job.kind, job.seed): job for job in jobs_of(STUDY)}
TRACE = trace_row(STUDY)
TABLE_NAMES = ["table1", "table2", "contrasts", "alignment"]
FIGURE_NAMES = figure_names(STUDY)


# Models and data sets were fetched by the rule `fetch`; no other command asks the hub for anything.
shell.prefix("set -euo pipefail; export HF_HUB_OFFLINE=1; ")


wildcard_constraints:
    model=either(STUDY.model_names),
    benchmark=either(STUDY.benchmark_names),
    variant="[a-z]+",
    kind=r"[a-z]+(-trained)?",
    seed=r"\d+",


scattergather:
    shards=STUDY.runtime.shards,


def get_cluster_check():
    """Return the command that asks SLURM whether it would take the jobs; none where they run here."""
    plugin, settings = workflow.executor_plugin, workflow.executor_settings
    if plugin is None or plugin.name != "slurm":
        return "true"
    defaults = workflow.resource_settings.default_resources or {}
    account = defaults.get("slurm_account")
    options = {
        "--partitions": settings.partition_config,
        "--account": account and account.raw,
        "--status-command": settings.status_command,
    }
    given = [f"{name} '{value}'" for name, value in options.items() if value]
    return " ".join(["xpflow cluster", *given, "--gpu" if GPUS else ""])


def growing(amount):
    """Return a resource that is `amount` at first and more by it on each attempt after a failure."""
    return lambda wildcards, attempt: amount * attempt


def get_job(wildcards):
    """Return the decoding job of a rule's wildcards."""
    return JOBS[
        wildcards.model, wildcards.benchmark, wildcards.kind, int(wildcards.seed)
    ]


def get_shard(wildcards):
    """Return "1/2" for the scatter item "1-of-2"."""
    return wildcards.scatteritem.replace("-of-", "/")


def get_split_options(wildcards):
    """Return the options of `xpflow problems export` for a benchmark of the study."""
    [chosen] = [
        entry
        for entry in STUDY.problems.benchmarks
        if entry.name == wildcards.benchmark
    ]
    limit = "" if chosen.limit is None else f" --limit {chosen.limit}"
    return f"--split {chosen.split}{limit}"


def get_lock(repo):
    """Return the lock file of a hub repository; nothing for what does not come from the hub."""
    return [] if repo is None else f"results/hub/{repo.lock}"


def get_base(model):
    """Return the lock that stands for a model's base weights, where they come from the hub."""
    return get_lock(repo_of_model(STUDY, model))


def get_data(benchmark):
    """Return the lock that stands for a benchmark's data, where it comes from the hub."""
    return get_lock(repo_of_benchmark(STUDY, benchmark))


def get_aligned(model, variant, seed):
    """Return a file of an aligned checkpoint that stands for the whole folder; nothing for base weights."""
    return (
        []
        if variant == "base"
        else f"{RESULTS}/{model}/aligned/{variant}/seed{seed}/align{ENDING}"
    )


def get_policy(kind, seed):
    """Return the trained policy that a kind of job needs, if any."""
    return (
        f"{RESULTS}/policy/seed{seed}/policy.safetensors"
        if kind.endswith("-trained")
        else []
    )


def get_job_weights(wildcards):
    """Return the aligned weights that a decoding job needs."""
    return get_aligned(wildcards.model, get_job(wildcards).weights, wildcards.seed)


def get_weights_options(wildcards, input):
    """Return the options of `xpflow evaluate` and `xpflow trace` for weights and policy."""
    aligned = f"--checkpoint {Path(str(input.weights)).parent}" if input.weights else ""
    policy = f"--policy-trained {input.policy}" if input.policy else ""
    return f"{aligned} {policy}".strip()


def get_part(kind, name):
    """Return the pattern of one file of a decoding job's shards, as `gather` takes it."""
    return f"{RESULTS}/{{{{model}}}}/parts/{{{{benchmark}}}}/{kind}/seed{{{{seed}}}}/{{scatteritem}}/{name}"


def get_runs(group, name):
    """Return one published file for each arm and budget of a group of jobs."""
    return [
        f"{RESULTS}/{{model}}/eval/{{benchmark}}/{cell}/seed{{seed}}/{name}"
        for cell in group.cells
    ]


def get_alignment_logs(wildcards):
    """Return the logs of every alignment that the study shows."""
    return [
        f"{RESULTS}/{model}/aligned/{variant}/seed{seed}/log.jsonl"
        for model, variant, seed in aligned_runs(STUDY)
    ]


def get_all_runs(name):
    """Return every published samples or verdicts file of the study."""
    return [
        f"{RESULTS}/{job.model}/eval/{job.benchmark}/{cell}/seed{job.seed}/{name}"
        for job in JOBS.values()
        for cell in job.cells
    ]
