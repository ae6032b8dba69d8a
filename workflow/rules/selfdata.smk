# One part of a model's own answers, as `gather` takes it.
ANSWERS = LAYOUT.selfdata_part("{{model}}", "{{seed}}", "{scatteritem}")


rule answer_prompts:
    input:
        unpack(
            given(
                LAYOUT.selfdata_part("{model}", "{seed}", "{scatteritem}"),
                final=lambda wildcards: [
                    LAYOUT.selfdata(wildcards.model, wildcards.seed)
                ],
                prompts=get_data(STUDY.selfdata.benchmark),
                base=lambda wildcards: get_base(wildcards.model),
            )
        ),
    output:
        answers=temp(LAYOUT.selfdata_part("{model}", "{seed}", "{scatteritem}")),
        manifest=temp(
            manifest_of(LAYOUT.selfdata_part("{model}", "{seed}", "{scatteritem}"))
        ),
    log:
        f"{LOGS}/answer_prompts/{{model}}.seed{{seed}}.{{scatteritem}}.log",
    benchmark:
        f"{TIMES}/answer_prompts/{{model}}.seed{{seed}}.{{scatteritem}}.tsv"
    priority: 30
    conda:
        ENVIRONMENT
    threads: STUDY.runtime.threads
    resources:
        mem_mb=growing(900),
        runtime=growing(60),
        gpu=GPUS,
    params:
        config=STUDY_FILE,
        shard=get_shard,
    message:
        f"{{wildcards.model}}, seed {{wildcards.seed}}, part {{params.shard}}: {STUDY.selfdata.gathered}"
    shell:
        "xpflow selfdata --config {params.config} --model {wildcards.model} --seed {wildcards.seed}"
        " --shard {params.shard} --out {output.answers} > {log} 2>&1"


rule merge_answers:
    input:
        unpack(
            given(
                LAYOUT.selfdata("{model}", "{seed}"),
                answers=gather.shards(str(ANSWERS)),
                manifests=gather.shards(str(manifest_of(ANSWERS))),
            )
        ),
    output:
        LAYOUT.selfdata("{model}", "{seed}"),
    log:
        f"{LOGS}/merge_answers/{{model}}.seed{{seed}}.log",
    benchmark:
        f"{TIMES}/merge_answers/{{model}}.seed{{seed}}.tsv"
    priority: 30
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    message:
        "Merge the answers of {wildcards.model}, seed {wildcards.seed}"
    shell:
        "xpflow merge rows {input.answers} --out {output} > {log} 2>&1"


# For runs that learn only from answers that passed (training.runs, `answers: passed`); asked for by no others.
rule grade_answers:
    input:
        unpack(
            given(
                LAYOUT.answer_verdicts("{model}", "{seed}"),
                data=LAYOUT.selfdata("{model}", "{seed}"),
                problems=get_data(STUDY.selfdata.benchmark),
                base=lambda wildcards: get_base(wildcards.model),
            )
        ),
    output:
        LAYOUT.answer_verdicts("{model}", "{seed}"),
    log:
        f"{LOGS}/grade_answers/{{model}}.seed{{seed}}.log",
    benchmark:
        f"{TIMES}/grade_answers/{{model}}.seed{{seed}}.tsv"
    priority: 30
    conda:
        ENVIRONMENT
    threads: STUDY.grading.workers
    resources:
        mem_mb=growing(1000),
        runtime=growing(60),
    params:
        config=STUDY_FILE,
    message:
        "Run the answers of {wildcards.model}, seed {wildcards.seed}, against their tests"
    shell:
        "xpflow grade-answers --config {params.config} --model {wildcards.model} --seed {wildcards.seed}"
        " --data {input.data} --out {output} > {log} 2>&1"
