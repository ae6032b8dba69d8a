"""The study, its paths and the only helper functions of the workflow."""

import os
import re
import shlex
import sys
import time
from dataclasses import astuple
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import RerunTrigger

from xpflow.errors import XpflowError
import xpflow
from xpflow.display.settle import settle
from xpflow.images import choose_container, digest_inside, package_digest
from xpflow.study.check import check_study
from xpflow.study.config import load_study
from xpflow.study.config.base import budget_folder
from xpflow.study.corpus import (
    corpus_couplings,
    corpus_jobs,
    corpus_text,
    find_corpus_run,
    local_sources,
    repo_of_judge,
    repo_of_part,
    repo_of_tokenizer,
)
from xpflow.study.corpus_stages import corpus_files
from xpflow.study.needs import repo_of_benchmark, repos_of, repos_of_model
from xpflow.study.freshness import mark, no_future, outdated, told
from xpflow.study.layout import (
    CORPUS_FILES,
    HUB,
    PRETRAIN,
    ROWS_FILES,
    TEXT_FILES,
    Layout,
    manifest_of,
)
from xpflow.study.probes import find_probe, probe_jobs, trained_policies
from xpflow.study.rows import job_groups, jobs_of, policy_seeds, trace_row
from xpflow.study.stages import (
    evaluated_files,
    figure_files,
    figure_names,
    policy_logs,
    probe_files,
    probe_outputs,
    table_files,
    table_names,
    text_files,
    training_logs,
)
from xpflow.study.text import (
    coupling_jobs,
    couplings_of,
    find_text,
    start_of,
    text_jobs,
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
    plugin, methods = (
        workflow.executor_plugin,
        workflow.deployment_settings.deployment_method,
    )
    contained = any(method.name == "APPTAINER" for method in methods)
    return contained or (plugin is not None and plugin.common_settings.non_local_exec)


def chosen_container():
    """Return the image of every rule, from containers/images.*.yaml, and what its jobs will say that they ran in.

    With --use-singularity it must be there.
    """
    methods = workflow.deployment_settings.deployment_method
    used = any(method.name == "APPTAINER" for method in methods)
    places = [model.directory for model in STUDY.models]
    sources = STUDY.problems.sources.model_dump()
    places += [*sources.pop("files").values(), *sources.values(), *local_sources(STUDY)]
    binds = [path for path in places if path and os.path.exists(path)]
    try:
        image = choose_container(
            workflow.basedir, used=used, binds=binds, hub=bool(REPOS)
        )
        return image, digest_inside(used=used)
    except XpflowError as error:
        raise WorkflowError(str(error)) from None


def check_source():
    """Stop where the installed xpflow is not that of the checkout whose workflow this is, as in a copied one."""
    ours, installed = (
        Path(workflow.basedir) / "src" / "xpflow",
        Path(xpflow.__file__).parent,
    )
    if not ours.is_dir() or ours.samefile(installed):
        return
    if package_digest(ours) != package_digest(installed):
        raise WorkflowError(
            f"this is the workflow of {workflow.basedir}, and the installed xpflow is another, of {installed}:"
            " make an environment here with `make`, or `pip install -e .`"
        )


STARTED = time.time()
check_source()
CONFIG = chosen_config()
STUDY, REPOS = validated(CONFIG)
CONTAINER, CONTAINER_DIGEST = chosen_container()
LAYOUT = Layout.of(STUDY.study.name)
LOGS, TIMES = LAYOUT.logs, LAYOUT.times
ENVIRONMENT = "../../environment.yml"

# Manifests alone decide what runs again, by content: settings, code, container and inputs. See `given`.
OUTDATED = outdated(STUDY, CONTAINER_DIGEST) if workflow.is_main_process else {}
if OUTDATED:
    MARK = mark(OUTDATED)
    print(*told(OUTDATED, STUDY), sep="\n", file=sys.stderr)
if workflow.is_main_process:
    no_future(STUDY)

# Every command reads the study from this file, written before the first job. It is no input of the rules.
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


def get_summary():
    """Return the command that says what came out; what it cannot say is no failure of the study."""
    if not LAYOUT.figure("claims", "json").exists():
        return "true"  # another target than the tables
    took = round(time.time() - STARTED)
    places = f"--results {LAYOUT.results} --figures {LAYOUT.figures}"
    return f"xpflow summary --config {STUDY_FILE} {places} --took {took} || true"


def given(*makes, final=None, **inputs):
    """Return the input function, for `unpack`, of a job that makes some files: its inputs by name.

    Those of a job whose files are up to date are `ancient`: neither their times nor jobs that run before it are a
    reason to run it again. A job that has to run again gets the mark, too. `final` are the files that a job's own
    are merged into: its own need not be there as long as these are up to date.
    """

    def get_given(wildcards):
        trust_manifests()
        found = {name: get_files(value, wildcards) for name, value in inputs.items()}
        own = [str(file).format(**wildcards) for file in makes]
        merged = [str(file) for file in final(wildcards)] if final else []
        if is_fresh(own) or is_fresh(merged):
            return {name: ancient(files) for name, files in found.items()}
        return {**found, "again": str(MARK) if set(own) & OUTDATED.keys() else []}

    return get_given


def get_files(value, wildcards):
    """Return a file or a list of files as strings; `value` may be a function of wildcards."""
    files = value(wildcards) if callable(value) else value
    return str(files) if isinstance(files, (str, Path)) else [str(one) for one in files]


def is_fresh(files):
    """Return whether all files are there and up to date; not where there are none to ask for."""
    return bool(files) and all(
        os.path.exists(file) and file not in OUTDATED for file in files
    )


def trust_manifests():
    """Keep Snakemake from what it remembers of earlier runs; the settings are not there when this is read."""
    if workflow.dag_settings is not None:
        workflow.dag_settings.rerun_triggers = frozenset({RerunTrigger.MTIME})


def growing(amount):
    """Return a resource that is `amount` at first and more by it on each attempt after a failure."""
    return lambda wildcards, attempt: amount * attempt


def get_job(wildcards):
    """Return the decoding job of a rule's wildcards."""
    return JOBS[
        wildcards.model, wildcards.benchmark, wildcards.kind, int(wildcards.seed)
    ]


def get_rows(wildcards):
    """Return the samples and verdicts that the shards of a decoding job are merged into."""
    return [file for row in get_job(wildcards).rows for file in LAYOUT.row_files(row)]


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
    """Return the locks that stand for a model's base weights and tokenizer, where they come from the hub."""
    return [get_lock(repo) for repo in repos_of_model(STUDY, model)]


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


def get_verdicts(wildcards):
    """Return the verdicts on own answers that a training run needs, where it learns from those that passed."""
    wanted = STUDY.run(wildcards.run).answers == "passed"
    return LAYOUT.answer_verdicts(wildcards.model, wildcards.seed) if wanted else []


def get_training_options(wildcards, input):
    """Return the options of `xpflow train` for the run that it starts from and the verdicts on its answers."""
    start = f"--from {Path(str(input.start)).parent}" if input.start else ""
    verdicts = f"--verdicts {input.verdicts}" if input.verdicts else ""
    return f"{start} {verdicts}".strip()


def get_policy(trained, seed):
    """Return the trained policy, where one is needed."""
    return LAYOUT.policy_file(seed) if trained else []


def get_job_weights(wildcards):
    """Return the trained weights that a decoding job needs."""
    return get_trained(wildcards.model, get_job(wildcards).weights, wildcards.seed)


def get_probe(wildcards):
    """Return the probing job of a rule's wildcards."""
    return find_probe(STUDY, wildcards.place, wildcards.benchmark, int(wildcards.seed))


def get_probe_policies(wildcards):
    """Return the policies that are trained for the probes, by name."""
    return {
        one.name: LAYOUT.probe_policy(budget_folder(one.train_budget), wildcards.seed)
        / "policy.safetensors"
        for one in trained_policies(STUDY)
    }


def get_probe_validation(wildcards):
    """Return the problems on which readers of noisy text choose, where the study has such readers."""
    noisy = STUDY.probes.noisy
    chosen_on = noisy.validation[wildcards.benchmark] if noisy.readers else None
    return LAYOUT.problems(chosen_on) if chosen_on else []


def get_probe_options(wildcards, input):
    """Return the options of `xpflow probe` for weights, policies and validation problems."""
    named = get_probe_policies(wildcards).items()
    policies = [f"--policy {name}={file}" for name, file in named]
    trained = f"--checkpoint {Path(str(input.weights)).parent}" if input.weights else ""
    chosen_on = f"--validation {input.validation}" if input.validation else ""
    return " ".join(filter(None, [trained, *policies, chosen_on]))


def get_text_checkpoint(world, run, seed):
    """Return the file that stands for the whole checkpoint of a training on a world."""
    return manifest_of(LAYOUT.text_checkpoint(world, run, seed) / "train")


def get_text_job(wildcards):
    """Return the training of a rule's wildcards."""
    return find_text(STUDY, wildcards.world, wildcards.run, int(wildcards.seed))


def get_text_start(wildcards):
    """Return the checkpoint of the run that a training on a world starts from, where it starts from one."""
    return get_checkpoint_before(get_text_job(wildcards))


def get_checkpoint_before(job):
    """Return the checkpoint that a training of block `text` starts from, where it starts from one."""
    start = start_of(STUDY, job)
    return get_text_checkpoint(start.world, start.run, start.seed) if start else []


def get_text_couplings(wildcards):
    """Return the couplings that a run is trained on, where it is trained on some."""
    return get_couplings_before(get_text_job(wildcards))


def get_couplings_before(job):
    """Return the couplings that a training of block `text` is on, where it is on some."""
    pairs = couplings_of(STUDY, job)
    return LAYOUT.couplings(*astuple(pairs)) if pairs else []


def get_corpus_job(wildcards):
    """Return the training on packed rows of a rule's wildcards."""
    return find_corpus_run(STUDY, wildcards.world, wildcards.run, int(wildcards.seed))


def get_corpus_start(wildcards):
    """Return the checkpoint that a training on packed rows starts from, where it starts from one."""
    return get_checkpoint_before(get_corpus_job(wildcards))


def get_corpus_couplings(wildcards):
    """Return the couplings that a training on packed rows is on, where it is on some."""
    return get_couplings_before(get_corpus_job(wildcards))


def get_own_checkpoint(wildcards):
    """Return the file that stands for the model of a run of block `text`."""
    return get_text_checkpoint(wildcards.world, wildcards.run, wildcards.seed)


def get_corpus_locks(wildcards):
    """Return the locks of a corpus and its tokenizer, where they come from the hub."""
    part = corpus_text(STUDY, wildcards.world).part(wildcards.rows)
    lock = get_lock(repo_of_part(part))
    return [*([lock] if lock else []), *get_tokenizer_lock(wildcards.world)]


def get_tokenizer_lock(world):
    """Return the lock of the tokenizer of some texts, where it comes from the hub."""
    lock = get_lock(repo_of_tokenizer(corpus_text(STUDY, world)))
    return [lock] if lock else []


def get_measured_rows(wildcards):
    """Return the rows that bounds of some texts are measured on."""
    parts = corpus_text(STUDY, wildcards.world).measured
    folders = [LAYOUT.corpus_rows(wildcards.world, part.name) for part in parts]
    return [folder / name for folder in folders for name in ROWS_FILES]


def get_text_options(wildcards, input):
    """Return the options of `xpflow text train` for the run that it starts from and its couplings."""
    start = f"--from {Path(str(input.start)).parents[1]}" if input.start else ""
    pairs = f"--couplings {input.couplings}" if input.couplings else ""
    return f"{start} {pairs}".strip()


def get_weights_options(wildcards, input):
    """Return the options of `xpflow evaluate` and `xpflow trace` for weights and policy."""
    trained = f"--checkpoint {Path(str(input.weights)).parent}" if input.weights else ""
    policy = f"--policy-trained {input.policy}" if input.policy else ""
    return f"{trained} {policy}".strip()


def caption_of(figure):
    """Return the name of a figure's caption: numbered figures of one kind have one."""
    return re.sub(r"_\d+$", "", figure)


def get_part(kind, name):
    """Return the pattern of one file of a decoding job's shards, as `gather` takes it."""
    place = ("{{model}}", "{{benchmark}}", kind, "{{seed}}", "{scatteritem}")
    return str(LAYOUT.part(*place) / name)


def get_runs(group, name):
    """Return one published file for each arm and budget of a group of jobs."""
    place = LAYOUT.evaluation("{model}", "{benchmark}")
    return [place / cell / "seed{seed}" / name for cell in group.cells]
