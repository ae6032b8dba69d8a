rule filter_solvable:
    input:
        problems=rules.export_training_problems.output,
        base=lambda wildcards: get_base(wildcards.model),
    output:
        f"{RESULTS}/{{model}}/solvable.jsonl",
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
        code=code_fingerprint("solvable"),
        config=STUDY_FILE,
        settings=lambda wildcards: fp.solvable(STUDY, wildcards.model),
    message:
        "Keep the training problems that {wildcards.model} already solves"
    shell:
        "xpflow solvable --config {params.config} --model {wildcards.model} --problems {input.problems}"
        " --out {output} > {log} 2>&1"


rule train_policy:
    input:
        problems=f"{RESULTS}/{STUDY.grpo.model}/solvable.jsonl",
        weights=lambda wildcards: get_aligned(
            STUDY.grpo.model, STUDY.grpo.variant, wildcards.seed
        ),
    output:
        policy=f"{RESULTS}/policy/seed{{seed}}/policy.safetensors",
        log=f"{RESULTS}/policy/seed{{seed}}/log.jsonl",
    log:
        f"{LOGS}/train_policy/seed{{seed}}.log",
    benchmark:
        f"{TIMES}/train_policy/seed{{seed}}.tsv"
    priority: 40
    conda:
        ENVIRONMENT
    threads: STUDY.runtime.threads
    resources:
        mem_mb=growing(1500),
        runtime=480,
        gpu=TRAINING_GPUS,
    params:
        code=code_fingerprint("grpo"),
        config=STUDY_FILE,
        settings=fp.grpo(STUDY),
        model=lambda wildcards, input: Path(input.weights).parent,
        folder=lambda wildcards, output: Path(output.policy).parent,
        about=f"{STUDY.grpo.model} ({STUDY.grpo.variant} alignment)",
    message:
        "Train a step-size policy (Eq. 18) on {params.about}, seed {wildcards.seed}"
    shell:
        "xpflow grpo --config {params.config} --seed {wildcards.seed} --model {params.model}"
        " --problems {input.problems} --out {params.folder} > {log} 2>&1"


rule policy:
    input:
        expand(rules.train_policy.output.policy, seed=STUDY.study.seeds),
