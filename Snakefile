"""The whole study as one DAG: `make reproduce`, or `snakemake --profile workflow/profiles/laptop`.

--configfile FILE chooses the study (default: config/micro.yaml); `snakemake -n` says what would run and why.
Further targets: `pretrain` (the shipped models, anew), `policy` (the step-size policy of a study, by itself), `text`
(the models of small languages of a study).
"""

from snakemake.utils import min_version

min_version("9.20")


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"


# Of every rule, with --use-singularity; without it nothing is looked at. See docs/containers.md.
container: CONTAINER


include: "workflow/rules/fetch.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/selfdata.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/policy.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/probes.smk"
include: "workflow/rules/text.smk"
include: "workflow/rules/corpus.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/pretrain.smk"


rule all:
    default_target: True
    input:
        # Asked for by name: the published tables and figures are in the repository, and no reason to do nothing.
        evaluated_files(STUDY, LAYOUT),
        rules.tables.output,
        rules.prompts.output if STUDY.models else [],
        rules.figures.output,
        rules.report.output,


# What stages would ask is asked once, before the first job: that needs torch, so not at every parse. So is the
# cluster, where there is one.
onstart:
    shell(get_cluster_check())
    shell("xpflow config check {ELSEWHERE} --times {TIMES:q} {CONFIG:q}")
    if not STUDY_FILE.exists() or not STUDY_FILE.samefile(CONFIG):
        shell("xpflow config show {CONFIG:q} --out {STUDY_FILE:q}")


onsuccess:
    settle(workflow.logger_manager)
    shell(get_summary())
