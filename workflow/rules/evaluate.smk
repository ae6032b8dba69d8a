rule decode_shard:
    input:
        unpack(
            given(
                PART / "samples.jsonl",
                final=get_rows,
                problems=LAYOUT.problems("{benchmark}"),
                base=lambda wildcards: get_base(wildcards.model),
                weights=get_job_weights,
                policy=lambda wildcards: get_policy(
                    get_job(wildcards).trained, wildcards.seed
                ),
            )
        ),
    output:
        samples=temp(PART / "samples.jsonl"),
        manifest=temp(manifest_of(PART / "samples.jsonl")),
    log:
        f"{LOGS}/decode_shard/{{model}}.{{benchmark}}.{{kind}}.seed{{seed}}.{{scatteritem}}.log",
    benchmark:
        f"{TIMES}/decode_shard/{{model}}.{{benchmark}}.{{kind}}.seed{{seed}}.{{scatteritem}}.tsv"
    conda:
        ENVIRONMENT
    threads: STUDY.runtime.threads
    resources:
        mem_mb=growing(900),
        runtime=growing(240),
        gpu=GPUS,
    params:
        config=STUDY_FILE,
        weights=lambda wildcards: get_job(wildcards).weights,
        options=get_weights_options,
        shard=get_shard,
        runs=lambda wildcards: len(get_job(wildcards).rows),
    message:
        "Decode {wildcards.benchmark} with {wildcards.model}, {wildcards.kind} weights, seed {wildcards.seed}:"
        " {params.runs} arms and budgets, part {params.shard}"
    shell:
        "xpflow evaluate --config {params.config} --model {wildcards.model} --weights {params.weights}"
        " {params.options} --benchmark {wildcards.benchmark} --problems {input.problems}"
        " --seed {wildcards.seed} --shard {params.shard} --out {output.samples} > {log} 2>&1"


# Where jobs are submitted to a cluster, the shards of one decoding job are graded and merged in one submission.
rule grade_shard:
    input:
        unpack(
            given(
                PART / "verdicts.jsonl",
                final=get_rows,
                problems=LAYOUT.problems("{benchmark}"),
                samples=rules.decode_shard.output.samples,
                manifest=rules.decode_shard.output.manifest,
            )
        ),
    output:
        verdicts=temp(PART / "verdicts.jsonl"),
        manifest=temp(manifest_of(PART / "verdicts.jsonl")),
    log:
        f"{LOGS}/grade_shard/{{model}}.{{benchmark}}.{{kind}}.seed{{seed}}.{{scatteritem}}.log",
    benchmark:
        f"{TIMES}/grade_shard/{{model}}.{{benchmark}}.{{kind}}.seed{{seed}}.{{scatteritem}}.tsv"
    priority: 5
    group:
        "grade.{kind}"
    conda:
        ENVIRONMENT
    threads: STUDY.grading.workers
    resources:
        mem_mb=growing(800),
        runtime=growing(120),
    params:
        config=STUDY_FILE,
        shard=get_shard,
    message:
        "Run the programs of {wildcards.model}, {wildcards.benchmark}, {wildcards.kind} weights,"
        " seed {wildcards.seed}, part {params.shard} against their tests"
    shell:
        "xpflow grade --config {params.config} --problems {input.problems} --samples {input.samples}"
        " --out {output.verdicts} > {log} 2>&1"


# One rule for each set of arms and budgets that jobs have in common: its outputs are known by name.
for group in job_groups(STUDY):

    rule:
        name:
            f"merge_{group.name}"
        input:
            unpack(
                given(
                    *get_runs(group, "samples.jsonl"),
                    *get_runs(group, "verdicts.jsonl"),
                    samples=gather.shards(get_part(group.kind, "samples.jsonl")),
                    verdicts=gather.shards(get_part(group.kind, "verdicts.jsonl")),
                    manifests=[
                        manifest
                        for name in ("samples.jsonl", "verdicts.jsonl")
                        for manifest in gather.shards(
                            get_part(group.kind, manifest_of(Path(name)))
                        )
                    ],
                    problems=LAYOUT.problems("{benchmark}"),
                )
            ),
        output:
            samples=get_runs(group, "samples.jsonl"),
            verdicts=get_runs(group, "verdicts.jsonl"),
        log:
            f"{LOGS}/merge/{{model}}.{{benchmark}}.{group.kind}.seed{{seed}}.log",
        benchmark:
            f"{TIMES}/merge/{{model}}.{{benchmark}}.{group.kind}.seed{{seed}}.tsv"
        wildcard_constraints:
            model=either(group.models),
            benchmark=either(group.benchmarks),
            seed=either(group.seeds),
        priority: 5
        group:
            f"grade.{group.kind}"
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=growing(500),
            runtime=growing(10),
        params:
            folders=lambda wildcards, input: sorted(
                {Path(path).parent for path in input.samples}
            ),
            out=lambda wildcards: LAYOUT.evaluation(
                wildcards.model, wildcards.benchmark
            ),
            kind=group.kind,
        message:
            "Sort the results of {wildcards.model}, {wildcards.benchmark}, {params.kind} weights,"
            " seed {wildcards.seed} by arm and budget"
        shell:
            "xpflow merge evaluation {params.folders} --problems {input.problems} --out {params.out}"
            " > {log} 2>&1"


if TRACE:

    rule trace:
        input:
            unpack(
                given(
                    LAYOUT.trace,
                    problems=LAYOUT.problems(TRACE.benchmark),
                    base=get_base(TRACE.model),
                    weights=get_trained(
                        TRACE.model, STUDY.arm(TRACE.arm).weights, TRACE.seed
                    ),
                    policy=get_policy(
                        STUDY.arm(TRACE.arm).policy == "trained", TRACE.seed
                    ),
                )
            ),
        output:
            LAYOUT.trace,
        log:
            f"{LOGS}/trace.log",
        benchmark:
            f"{TIMES}/trace.tsv"
        conda:
            ENVIRONMENT
        threads: STUDY.runtime.threads
        resources:
            mem_mb=growing(900),
            runtime=growing(30),
            gpu=GPUS,
        params:
            config=STUDY_FILE,
            options=get_weights_options,
            about=f"{TRACE.model}, {TRACE.arm} at {TRACE.budget}",
        message:
            "Decode one problem for the decoding picture: {params.about}"
        shell:
            "xpflow trace --config {params.config} {params.options} --problems {input.problems} --out {output}"
            " > {log} 2>&1"
