# Policies that only the probes follow: trained at a T / N of their own, else as block `grpo` says.
rule train_probe_policy:
    input:
        unpack(
            given(
                LAYOUT.probe_policy("{train_budget}", "{seed}") / "policy.safetensors",
                LAYOUT.probe_policy("{train_budget}", "{seed}") / "log.jsonl",
                problems=LAYOUT.solvable(STUDY.grpo.model),
                base=get_base(STUDY.grpo.model),
                weights=lambda wildcards: get_trained(
                    STUDY.grpo.model, STUDY.grpo.weights, wildcards.seed
                ),
            )
        ),
    output:
        policy=LAYOUT.probe_policy("{train_budget}", "{seed}") / "policy.safetensors",
        log=LAYOUT.probe_policy("{train_budget}", "{seed}") / "log.jsonl",
    log:
        f"{LOGS}/train_probe_policy/T{{train_budget}}.seed{{seed}}.log",
    benchmark:
        f"{TIMES}/train_probe_policy/T{{train_budget}}.seed{{seed}}.tsv"
    wildcard_constraints:
        train_budget=r"\d+-\d+",
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
        "Train a step-size policy for the probes on {params.about}, rollouts of T/N = {wildcards.train_budget},"
        " seed {wildcards.seed}"
    shell:
        "xpflow grpo --config {params.config} --seed {wildcards.seed} --model {params.model}"
        " --train-budget {wildcards.train_budget} --problems {input.problems} --out {params.folder} > {log} 2>&1"


if PROBES := probe_jobs(STUDY):

    rule probe:
        input:
            unpack(
                given(
                    *(
                        LAYOUT.probe("{model}", "{benchmark}", "{place}", "{seed}")
                        / name
                        for name in probe_outputs(STUDY)
                    ),
                    problems=LAYOUT.problems("{benchmark}"),
                    validation=get_probe_validation,
                    base=lambda wildcards: get_base(wildcards.model),
                    weights=lambda wildcards: get_trained(
                        wildcards.model, get_probe(wildcards).weights, wildcards.seed
                    ),
                    policies=lambda wildcards: list(
                        get_probe_policies(wildcards).values()
                    ),
                )
            ),
        output:
            [
                LAYOUT.probe("{model}", "{benchmark}", "{place}", "{seed}") / name
                for name in probe_outputs(STUDY)
            ],
        log:
            f"{LOGS}/probe/{{model}}.{{benchmark}}.{{place}}.seed{{seed}}.log",
        benchmark:
            f"{TIMES}/probe/{{model}}.{{benchmark}}.{{place}}.seed{{seed}}.tsv"
        wildcard_constraints:
            place=either({job.place for job in PROBES}),
        priority: 5
        conda:
            ENVIRONMENT
        threads: STUDY.runtime.threads
        resources:
            mem_mb=growing(1500),
            runtime=growing(240),
            gpu=GPUS,
        params:
            config=STUDY_FILE,
            options=get_probe_options,
            folder=lambda wildcards, output: Path(output[0]).parent,
        message:
            "Probe {wildcards.model}, {wildcards.place}, on {wildcards.benchmark},"
            " seed {wildcards.seed}"
        shell:
            "xpflow probe --config {params.config} --place {wildcards.place} --benchmark {wildcards.benchmark}"
            " --problems {input.problems} {params.options} --seed {wildcards.seed} --out {params.folder}"
            " > {log} 2>&1"
