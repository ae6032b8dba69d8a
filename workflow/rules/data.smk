rule export_problems:
    input:
        lambda wildcards: get_data(wildcards.benchmark),
    output:
        f"{RESULTS}/problems/{{benchmark}}.jsonl",
    log:
        f"{LOGS}/export_problems/{{benchmark}}.log",
    benchmark:
        f"{TIMES}/export_problems/{{benchmark}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(500),
        runtime=growing(10),
    params:
        code=code_fingerprint("problems"),
        config=STUDY_FILE,
        settings=lambda wildcards: fp.problems(STUDY, wildcards.benchmark),
        options=get_split_options,
    message:
        "Write the problems of {wildcards.benchmark} to one file that every later step reads"
    shell:
        "xpflow problems export {wildcards.benchmark} {params.options} --config {params.config} --out {output}"
        " > {log} 2>&1"


rule export_training_problems:
    input:
        get_data(STUDY.solvable.benchmark),
    output:
        f"{RESULTS}/problems/training/{STUDY.solvable.benchmark}.jsonl",
    log:
        f"{LOGS}/export_training_problems.log",
    benchmark:
        f"{TIMES}/export_training_problems.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(500),
        runtime=growing(10),
    params:
        code=code_fingerprint("problems"),
        config=STUDY_FILE,
        settings=fp.training_problems(STUDY),
        benchmark=STUDY.solvable.benchmark,
    message:
        "Write the training problems of {params.benchmark}: what the policy may be trained on"
    shell:
        "xpflow problems export {params.benchmark} --split train --config {params.config} --out {output}"
        " > {log} 2>&1"
