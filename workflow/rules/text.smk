if TEXTS := text_jobs(STUDY):

    # Models of small languages, from nothing or from another run; they are trained on the CPU.
    rule train_text:
        input:
            unpack(
                given(
                    get_text_checkpoint("{world}", "{run}", "{seed}"),
                    *(
                        LAYOUT.text("{world}", "{run}", "{seed}") / name
                        for name in TEXT_FILES
                    ),
                    start=get_text_start,
                    couplings=get_text_couplings,
                )
            ),
        output:
            [LAYOUT.text("{world}", "{run}", "{seed}") / name for name in TEXT_FILES],
            # Written last; it lists the files of the checkpoint.
            checkpoint=get_text_checkpoint("{world}", "{run}", "{seed}"),
        log:
            f"{LOGS}/train_text/{{world}}.{{run}}.seed{{seed}}.log",
        benchmark:
            f"{TIMES}/train_text/{{world}}.{{run}}.seed{{seed}}.tsv"
        wildcard_constraints:
            world=either({job.world for job in TEXTS}),
        priority: 20
        conda:
            ENVIRONMENT
        threads: STUDY.runtime.threads
        resources:
            mem_mb=growing(1200),
            runtime=growing(120),
        params:
            config=STUDY_FILE,
            options=get_text_options,
            folder=lambda wildcards, output: Path(str(output.checkpoint)).parents[1],
        message:
            "Train a model of {wildcards.world} from nothing, run {wildcards.run}, seed {wildcards.seed}"
        shell:
            "xpflow text train {wildcards.world} --config {params.config} --run {wildcards.run} {params.options}"
            " --seed {wildcards.seed} --out {params.folder} > {log} 2>&1"


if COUPLINGS := coupling_jobs(STUDY):

    rule couple_text:
        input:
            unpack(
                given(
                    LAYOUT.couplings(
                        "{world}", "{run}", "{seed}", "{pairs}", "{steps}"
                    ),
                    checkpoint=lambda wildcards: get_text_checkpoint(
                        wildcards.world, wildcards.run, wildcards.seed
                    ),
                )
            ),
        output:
            LAYOUT.couplings("{world}", "{run}", "{seed}", "{pairs}", "{steps}"),
        log:
            f"{LOGS}/couple_text/{{world}}.{{run}}.seed{{seed}}.{{pairs}}.{{steps}}.log",
        benchmark:
            f"{TIMES}/couple_text/{{world}}.{{run}}.seed{{seed}}.{{pairs}}.{{steps}}.tsv"
        wildcard_constraints:
            world=either({job.world for job in COUPLINGS}),
            pairs=r"\d+",
            steps=r"\d+",
        priority: 20
        conda:
            ENVIRONMENT
        threads: STUDY.runtime.threads
        resources:
            mem_mb=growing(1200),
            runtime=growing(60),
        params:
            config=STUDY_FILE,
            folder=lambda wildcards, output: Path(str(output)).parent,
        message:
            "Make {wildcards.pairs} couplings of noise and sentences of {wildcards.world} by run {wildcards.run},"
            " seed {wildcards.seed}"
        shell:
            "xpflow text couple {params.folder} --config {params.config} --world {wildcards.world}"
            " --run {wildcards.run} --count {wildcards.pairs} --steps {wildcards.steps} --seed {wildcards.seed}"
            " --out {output} > {log} 2>&1"


rule text:
    input:
        [
            get_text_checkpoint(job.world, job.run, job.seed)
            for job in text_jobs(STUDY) + corpus_jobs(STUDY)
        ],
