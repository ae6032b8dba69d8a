rule filter_solvable:
    input:
        unpack(
            given(
                LAYOUT.solvable("{model}"),
                problems=rules.export_training_problems.output,
                base=lambda wildcards: get_base(wildcards.model),
            )
        ),
    output:
        LAYOUT.solvable("{model}"),
    log:
        f"{LOGS}/filter_solvable/{{model}}.log",
    benchmark:
        f"{TIMES}/filter_solvable/{{model}}.tsv"
    priority: 30
    conda:
        ENVIRONMENT
    threads: STUDY.runtime.threads
    resources:
        mem_mb=growing(1000),
        runtime=growing(120),
        gpu=GPUS,
    params:
        config=STUDY_FILE,
    message:
        "Keep the training problems that {wildcards.model} already solves"
    shell:
        "xpflow solvable --config {params.config} --model {wildcards.model} --problems {input.problems}"
        " --out {output} > {log} 2>&1"


rule train_policy:
    input:
        unpack(
            given(
                LAYOUT.policy_file("{seed}"),
                LAYOUT.policy_log("{seed}"),
                problems=LAYOUT.solvable(STUDY.grpo.model),
                base=get_base(STUDY.grpo.model),
                weights=lambda wildcards: get_trained(
                    STUDY.grpo.model, STUDY.grpo.weights, wildcards.seed
                ),
            )
        ),
    output:
        policy=LAYOUT.policy_file("{seed}"),
        log=LAYOUT.policy_log("{seed}"),
    log:
        f"{LOGS}/train_policy/seed{{seed}}.log",
    benchmark:
        f"{TIMES}/train_policy/seed{{seed}}.tsv"
    priority: 40
    conda:
        ENVIRONMENT
    threads: TRAINING_THREADS
    resources:
        mem_mb=growing(1500),
        runtime=480,
        gpu=TRAINING_GPUS,
        nodes=1,
    params:
        config=STUDY_FILE,
        model=lambda wildcards, input: (
            Path(str(input.weights)).parent if input.weights else STUDY.grpo.model
        ),
        folder=lambda wildcards, output: Path(output.policy).parent,
        about=f"{STUDY.grpo.model} ({STUDY.grpo.weights} weights)",
    message:
        "Train a step-size policy (Eq. 18) on {params.about}, seed {wildcards.seed}"
    shell:
        "xpflow grpo --config {params.config} --seed {wildcards.seed} --model {params.model}"
        " --problems {input.problems} --out {params.folder} > {log} 2>&1"


rule policy:
    input:
        expand(rules.train_policy.output.policy, seed=STUDY.study.seeds),
