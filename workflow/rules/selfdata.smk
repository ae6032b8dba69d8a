rule answer_prompts:
    input:
        prompts=get_data(STUDY.selfdata.benchmark),
        base=lambda wildcards: get_base(wildcards.model),
    output:
        answers=temp(
            f"{RESULTS}/{{model}}/parts/selfdata/seed{{seed}}/{{scatteritem}}.jsonl"
        ),
        manifest=temp(
            f"{RESULTS}/{{model}}/parts/selfdata/seed{{seed}}/{{scatteritem}}.jsonl{ENDING}"
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
        code=code_fingerprint("selfdata"),
        config=STUDY_FILE,
        settings=lambda wildcards: fp.selfdata(STUDY, wildcards.model),
        shard=get_shard,
    message:
        "{wildcards.model} answers persona prompts at full budget, seed {wildcards.seed}, part {params.shard}"
    shell:
        "xpflow selfdata --config {params.config} --model {wildcards.model} --seed {wildcards.seed}"
        " --shard {params.shard} --out {output.answers} > {log} 2>&1"


rule merge_answers:
    input:
        answers=gather.shards(
            f"{RESULTS}/{{{{model}}}}/parts/selfdata/seed{{{{seed}}}}/{{scatteritem}}.jsonl"
        ),
        manifests=gather.shards(
            f"{RESULTS}/{{{{model}}}}/parts/selfdata/seed{{{{seed}}}}/{{scatteritem}}.jsonl{ENDING}"
        ),
    output:
        f"{RESULTS}/{{model}}/selfdata/seed{{seed}}.jsonl",
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
    params:
        code=code_fingerprint("merge"),
        settings=lambda wildcards: fp.selfdata(STUDY, wildcards.model),
    message:
        "Merge the answers of {wildcards.model}, seed {wildcards.seed}"
    shell:
        "xpflow merge rows {input.answers} --out {output} > {log} 2>&1"
