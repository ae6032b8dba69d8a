rule align:
    input:
        data=f"{RESULTS}/{{model}}/selfdata/seed{{seed}}.jsonl",
        base=lambda wildcards: get_base(wildcards.model),
    output:
        # Written last; it lists the files of the checkpoint, which are one or several.
        manifest=f"{RESULTS}/{{model}}/aligned/{{variant}}/seed{{seed}}/align{ENDING}",
        log=f"{RESULTS}/{{model}}/aligned/{{variant}}/seed{{seed}}/log.jsonl",
    log:
        f"{LOGS}/align/{{model}}.{{variant}}.seed{{seed}}.log",
    benchmark:
        f"{TIMES}/align/{{model}}.{{variant}}.seed{{seed}}.tsv"
    priority: 20
    conda:
        ENVIRONMENT
    threads: STUDY.runtime.threads
    resources:
        mem_mb=growing(1200),
        runtime=240,
        gpu=TRAINING_GPUS,
    params:
        code=code_fingerprint("align"),
        config=STUDY_FILE,
        settings=lambda wildcards: fp.align(STUDY, wildcards.model, wildcards.variant),
        folder=lambda wildcards, output: Path(output.manifest).parent,
    message:
        "Align {wildcards.model} to x-prediction (Eq. 11-12), {wildcards.variant} loss, seed {wildcards.seed}"
    shell:
        "xpflow align --config {params.config} --model {wildcards.model} --variant {wildcards.variant}"
        " --seed {wildcards.seed} --data {input.data} --out {params.folder} > {log} 2>&1"
