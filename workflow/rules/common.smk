"""The study, its paths and the only helper functions of the workflow."""

import os
import re
import shlex
from pathlib import Path

from snakemake.exceptions import WorkflowError

from xpflow.errors import XpflowError
from xpflow.images import choose_container
from xpflow.study.check import check_study
from xpflow.study.config import load_study
from xpflow.study.needs import repo_of_benchmark, repo_of_model, repos_of
from xpflow.study.layout import HUB, PRETRAIN, Layout, manifest_of
from xpflow.study.rows import job_groups, jobs_of, policy_seeds, trace_row
from xpflow.study.stages import (
    evaluated_files,
    figure_names,
    job_stage,
    policy_logs,
    stage_code,
    stage_fingerprint,
    table_names,
    training_logs,
)


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
        check_study(study, path)
        return study, {repo.name: repo for repo in repos_of(study)}
    except XpflowError as error:
        raise WorkflowError(str(error)) from None


def runs_elsewhere():
    """Return whether jobs run on other machines than this one, or in a container."""
    plugin, methods = workflow.executor_plugin, workflow.deployment_settings.deployment_method
    contained = any(method.name == "APPTAINER" for method in methods)
    return contained or (plugin is not None and plugin.common_settings.non_local_exec)


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
LAYOUT = Layout.of(STUDY.study.name)
LOGS, TIMES = LAYOUT.logs, LAYOUT.times
ENVIRONMENT = "../../environment.yml"

# Every command reads the study from this file, written before the first job. It is no input of the rules: what
# a changed setting runs again is decided by the fingerprints in their params.
STUDY_FILE = LAYOUT.study
# GPUs that a job which runs a model asks the scheduler for; a training job has one for each of its processes.
GPUS = int(STUDY.runtime.device.startswith("cuda"))
TRAINING_GPUS = GPUS * STUDY.runtime.processes
TRAINING_THREADS = STUDY.runtime.threads * STUDY.runtime.processes
# Jobs on other machines, or in an image, have a jail and devices of their own: they cannot be asked here.
ELSEWHERE = "--no-machine" if runs_elsewhere() else ""
JOBS = {(job.model, job.benchmark, job.kind, job.seed): job for job in jobs_of(STUDY)}
TRACE = trace_row(STUDY)
# The folder of one part of a decoding job.
PART = LAYOUT.part("{model}", "{benchmark}", "{kind}", "{seed}", "{scatteritem}")


# Models and data sets were fetched by the rule `fetch`; no other command asks the hub for anything.
shell.prefix("set -euo pipefail; export HF_HUB_OFFLINE=1; ")


wildcard_constraints:
    model=either(STUDY.model_names),
    benchmark=either(STUDY.benchmark_names),
    run="[a-z0-9-]+",
    kind=r"[a-z0-9-]+(\+trained)?",
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
    given = [
        f"{name} {shlex.quote(str(value))}" for name, value in options.items() if value
    ]
    command = " ".join(["xpflow cluster", *given, "--gpu" if GPUS else ""])
    return command.replace("{", "{{").replace("}", "}}")  # `shell` fills in braces


def code_of(command, *names, **values):
    """Return the code that a rule's params carry: where it changes, the rule's jobs run again.

    `names` are wildcards that the stage is told apart by, `values` names that the rule knows.
    """
    return lambda wildcards: stage_code(
        STUDY, get_stage(command, names, values, wildcards)
    )


def settings_of(command, *names, **values):
    """Return the settings that a rule's params carry, likewise."""
    return lambda wildcards: stage_fingerprint(
        STUDY, get_stage(command, names, values, wildcards)
    )


def get_stage(command, names, values, wildcards):
    """Return a stage as manifests name it."""
    if names == ("job",):
        return job_stage(get_job(wildcards))
    found = {name: getattr(wildcards, name) for name in names}
    return {"command": command, **found, **values}


def get_merged_settings(wildcards, kind):
    """Return the settings that the rows of a merged job were decoded and graded with."""
    place = {"model": wildcards.model, "benchmark": wildcards.benchmark}
    job = JOBS[*place.values(), kind, int(wildcards.seed)]
    stages = (job_stage(job), {"command": "grade", **place})
    return [stage_fingerprint(STUDY, stage) for stage in stages]


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
    chosen = STUDY.benchmark(wildcards.benchmark)
    limit = "" if chosen.limit is None else f" --limit {chosen.limit}"
    return f"--split {chosen.split}{limit}"


def get_lock(repo):
    """Return the lock file of a hub repository; nothing for what does not come from the hub."""
    return [] if repo is None else f"{HUB}/{repo.lock}"


def get_base(model):
    """Return the lock that stands for a model's base weights, where they come from the hub."""
    return get_lock(repo_of_model(STUDY, model))


def get_data(benchmark):
    """Return the lock that stands for a benchmark's data, where it comes from the hub."""
    return get_lock(repo_of_benchmark(STUDY, benchmark))


def get_trained(model, run, seed):
    """Return the file that stands for a whole trained checkpoint; nothing for base weights."""
    folder = LAYOUT.run(model, run, seed)
    return [] if run == "base" else manifest_of(folder / "train")


def get_start(wildcards):
    """Return the weights that a training run starts from, where they are another run's."""
    return get_trained(wildcards.model, STUDY.run(wildcards.run).start, wildcards.seed)


def get_policy(trained, seed):
    """Return the trained policy, where one is needed."""
    return LAYOUT.policy_file(seed) if trained else []


def get_job_weights(wildcards):
    """Return the trained weights that a decoding job needs."""
    return get_trained(wildcards.model, get_job(wildcards).weights, wildcards.seed)


def get_weights_options(wildcards, input):
    """Return the options of `xpflow evaluate` and `xpflow trace` for weights and policy."""
    trained = f"--checkpoint {Path(str(input.weights)).parent}" if input.weights else ""
    policy = f"--policy-trained {input.policy}" if input.policy else ""
    return f"{trained} {policy}".strip()


def get_part(kind, name):
    """Return the pattern of one file of a decoding job's shards, as `gather` takes it."""
    place = ("{{model}}", "{{benchmark}}", kind, "{{seed}}", "{scatteritem}")
    return str(LAYOUT.part(*place) / name)


def get_runs(group, name):
    """Return one published file for each arm and budget of a group of jobs."""
    place = LAYOUT.evaluation("{model}", "{benchmark}")
    return [place / cell / "seed{seed}" / name for cell in group.cells]
