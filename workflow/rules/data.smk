rule export_problems:
    input:
        unpack(
            given(
                LAYOUT.problems("{benchmark}"),
                data=lambda wildcards: get_data(wildcards.benchmark),
            )
        ),
    output:
        LAYOUT.problems("{benchmark}"),
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
        config=STUDY_FILE,
        options=get_split_options,
    message:
        "Write the problems of {wildcards.benchmark} to one file that every later step reads"
    shell:
        "xpflow problems export {wildcards.benchmark} {params.options} --config {params.config} --out {output}"
        " > {log} 2>&1"


rule export_training_problems:
    input:
        unpack(
            given(
                LAYOUT.training_problems(STUDY.solvable.benchmark),
                data=get_data(STUDY.solvable.benchmark),
            )
        ),
    output:
        LAYOUT.training_problems(STUDY.solvable.benchmark),
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
        config=STUDY_FILE,
        benchmark=STUDY.solvable.benchmark,
    message:
        "Write the training problems of {params.benchmark}: what the policy may be trained on"
    shell:
        "xpflow problems export {params.benchmark} --split train --config {params.config} --out {output}"
        " > {log} 2>&1"
