rule train:
    input:
        unpack(
            given(
                manifest_of(LAYOUT.run("{model}", "{run}", "{seed}") / "train"),
                LAYOUT.run_log("{model}", "{run}", "{seed}"),
                data=LAYOUT.selfdata("{model}", "{seed}"),
                verdicts=get_verdicts,
                base=lambda wildcards: get_base(wildcards.model),
                start=get_start,
            )
        ),
    output:
        # Written last; it lists the files of the checkpoint, which are one or several.
        manifest=manifest_of(LAYOUT.run("{model}", "{run}", "{seed}") / "train"),
        log=LAYOUT.run_log("{model}", "{run}", "{seed}"),
    log:
        f"{LOGS}/train/{{model}}.{{run}}.seed{{seed}}.log",
    benchmark:
        f"{TIMES}/train/{{model}}.{{run}}.seed{{seed}}.tsv"
    priority: 20
    conda:
        ENVIRONMENT
    threads: TRAINING_THREADS
    resources:
        mem_mb=growing(1200),
        runtime=240,
        gpu=TRAINING_GPUS,
        nodes=1,
    params:
        config=STUDY_FILE,
        options=get_training_options,
        folder=lambda wildcards, output: Path(output.manifest).parent,
    message:
        f"Train {{wildcards.model}} on {STUDY.selfdata.told}, run {{wildcards.run}}, seed {{wildcards.seed}}"
    shell:
        "xpflow train --config {params.config} --model {wildcards.model} --run {wildcards.run} {params.options}"
        " --seed {wildcards.seed} --data {input.data} --out {params.folder} > {log} 2>&1"
