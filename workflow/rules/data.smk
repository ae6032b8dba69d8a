rule record_study:
    input:
        CONFIG,
    output:
        STUDY_FILE,
    log:
        f"{LOGS}/record_study.log",
    benchmark:
        f"{TIMES}/record_study.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=200,
        runtime=5,
    params:
        study=fp.study(STUDY),
    message:
        "Write the study with all its settings to {output}"
    shell:
        "xpflow config show {input} --out {output} > {log} 2>&1"


rule export_problems:
    input:
        study=ancient(STUDY_FILE),
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
        mem_mb=300,
        runtime=10,
    params:
        study=lambda wildcards: fp.problems(STUDY, wildcards.benchmark),
        options=get_split_options,
    message:
        "Write the problems of {wildcards.benchmark} to one file that every later step reads"
    shell:
        "xpflow problems export {wildcards.benchmark} {params.options} --config {input.study} --out {output}"
        " > {log} 2>&1"


rule export_training_problems:
    input:
        study=ancient(STUDY_FILE),
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
        mem_mb=300,
        runtime=10,
    params:
        study=fp.training_problems(STUDY),
        benchmark=STUDY.solvable.benchmark,
    message:
        "Write the training problems of {params.benchmark}: what the policy may be trained on"
    shell:
        "xpflow problems export {params.benchmark} --split train --config {input.study} --out {output}"
        " > {log} 2>&1"
