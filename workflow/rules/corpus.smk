if CORPUS := corpus_jobs(STUDY):

    # Published texts as rows of token ids; what they are trained on and what bounds are measured on.
    rule pack_corpus:
        input:
            unpack(
                given(
                    *(
                        LAYOUT.corpus_rows("{world}", "{rows}") / name
                        for name in ROWS_FILES
                    ),
                    locks=get_corpus_locks,
                )
            ),
        output:
            [LAYOUT.corpus_rows("{world}", "{rows}") / name for name in ROWS_FILES],
        log:
            f"{LOGS}/pack_corpus/{{world}}.{{rows}}.log",
        benchmark:
            f"{TIMES}/pack_corpus/{{world}}.{{rows}}.tsv"
        wildcard_constraints:
            world=either({job.world for job in CORPUS}),
            rows="[a-z0-9-]+",
        conda:
            ENVIRONMENT
        threads: STUDY.runtime.threads
        resources:
            mem_mb=growing(4000),
            runtime=growing(720),
        params:
            config=STUDY_FILE,
            folder=lambda wildcards, output: Path(str(output[0])).parent,
        message:
            "Pack {wildcards.world}, {wildcards.rows}, into rows of tokens"
        shell:
            "xpflow corpus pack {wildcards.world} {wildcards.rows} --config {params.config} --out {params.folder}"
            " > {log} 2>&1"

    rule train_corpus:
        input:
            unpack(
                given(
                    get_text_checkpoint("{world}", "{run}", "{seed}"),
                    *(
                        LAYOUT.text("{world}", "{run}", "{seed}") / name
                        for name in CORPUS_FILES
                    ),
                    rows=lambda wildcards: [
                        LAYOUT.corpus_rows(wildcards.world, "train") / name
                        for name in ROWS_FILES
                    ],
                    locks=lambda wildcards: get_tokenizer_lock(wildcards.world),
                    start=get_corpus_start,
                    couplings=get_corpus_couplings,
                )
            ),
        output:
            [LAYOUT.text("{world}", "{run}", "{seed}") / name for name in CORPUS_FILES],
            # Written last; it lists the files of the checkpoint.
            checkpoint=get_text_checkpoint("{world}", "{run}", "{seed}"),
        log:
            f"{LOGS}/train_corpus/{{world}}.{{run}}.seed{{seed}}.log",
        benchmark:
            f"{TIMES}/train_corpus/{{world}}.{{run}}.seed{{seed}}.tsv"
        wildcard_constraints:
            world=either({job.world for job in CORPUS}),
        priority: 20
        conda:
            ENVIRONMENT
        threads: TRAINING_THREADS
        resources:
            mem_mb=growing(8000),
            runtime=growing(1440),
            gpu=TRAINING_GPUS,
            nodes=1,
        params:
            config=STUDY_FILE,
            options=get_text_options,
            rows=lambda wildcards, input: Path(str(input.rows[0])).parent,
            folder=lambda wildcards, output: Path(str(output.checkpoint)).parents[1],
        message:
            "Train a model of {wildcards.world}, run {wildcards.run}, seed {wildcards.seed}"
        shell:
            "xpflow corpus train {wildcards.world} --config {params.config} --run {wildcards.run} {params.options}"
            " --seed {wildcards.seed} --rows {params.rows} --out {params.folder} > {log} 2>&1"

    # These read a whole model, which its manifest stands for.
    rule measure_corpus:
        input:
            unpack(
                given(
                    LAYOUT.corpus_bounds("{world}", "{run}", "{seed}"),
                    checkpoint=get_own_checkpoint,
                    rows=get_measured_rows,
                )
            ),
        output:
            LAYOUT.corpus_bounds("{world}", "{run}", "{seed}"),
        log:
            f"{LOGS}/measure_corpus/{{world}}.{{run}}.seed{{seed}}.log",
        benchmark:
            f"{TIMES}/measure_corpus/{{world}}.{{run}}.seed{{seed}}.tsv"
        wildcard_constraints:
            world=either({job.world for job in CORPUS}),
        conda:
            ENVIRONMENT
        threads: STUDY.runtime.threads
        resources:
            mem_mb=growing(8000),
            runtime=growing(720),
            gpu=GPUS,
        params:
            config=STUDY_FILE,
            model=lambda wildcards, input: Path(str(input.checkpoint)).parents[1],
            rows=lambda wildcards, input: Path(str(input.rows[0])).parents[1],
        message:
            "Measure {wildcards.run} of {wildcards.world}, seed {wildcards.seed}, on held-out and zero-shot texts"
        shell:
            "xpflow corpus measure {wildcards.world} {params.model} --config {params.config} --run {wildcards.run}"
            " --seed {wildcards.seed} --rows {params.rows} --out {output} > {log} 2>&1"

    rule sample_corpus:
        input:
            unpack(
                given(
                    # The manifest stands for the files of each number of steps.
                    manifest_of(
                        LAYOUT.corpus_samples("{world}", "{run}", "{seed}") / "samples"
                    ),
                    checkpoint=get_own_checkpoint,
                )
            ),
        output:
            manifest_of(LAYOUT.corpus_samples("{world}", "{run}", "{seed}") / "samples"),
        log:
            f"{LOGS}/sample_corpus/{{world}}.{{run}}.seed{{seed}}.log",
        benchmark:
            f"{TIMES}/sample_corpus/{{world}}.{{run}}.seed{{seed}}.tsv"
        wildcard_constraints:
            world=either({job.world for job in CORPUS}),
        conda:
            ENVIRONMENT
        threads: STUDY.runtime.threads
        resources:
            mem_mb=growing(8000),
            runtime=growing(1440),
            gpu=GPUS,
        params:
            config=STUDY_FILE,
            model=lambda wildcards, input: Path(str(input.checkpoint)).parents[1],
            folder=lambda wildcards, output: Path(str(output)).parent,
        message:
            "Sample texts of {wildcards.run} of {wildcards.world}, seed {wildcards.seed}"
        shell:
            "xpflow corpus sample {wildcards.world} {params.model} --config {params.config} --run {wildcards.run}"
            " --seed {wildcards.seed} --out {params.folder} > {log} 2>&1"

    rule judge_corpus:
        input:
            unpack(
                given(
                    LAYOUT.corpus_judged("{world}", "{run}", "{seed}"),
                    samples=lambda wildcards: manifest_of(
                        LAYOUT.corpus_samples(
                            wildcards.world, wildcards.run, wildcards.seed
                        )
                        / "samples"
                    ),
                    judge=get_lock(repo_of_judge(STUDY)),
                )
            ),
        output:
            LAYOUT.corpus_judged("{world}", "{run}", "{seed}"),
        log:
            f"{LOGS}/judge_corpus/{{world}}.{{run}}.seed{{seed}}.log",
        benchmark:
            f"{TIMES}/judge_corpus/{{world}}.{{run}}.seed{{seed}}.tsv"
        wildcard_constraints:
            world=either({job.world for job in CORPUS}),
        conda:
            ENVIRONMENT
        threads: STUDY.runtime.threads
        resources:
            mem_mb=growing(8000),
            runtime=growing(720),
            gpu=GPUS,
        params:
            config=STUDY_FILE,
            folder=lambda wildcards, input: Path(str(input.samples)).parent,
        message:
            "Judge the texts of {wildcards.run} of {wildcards.world}, seed {wildcards.seed}"
        shell:
            "xpflow corpus judge {wildcards.world} {params.folder} --config {params.config} --run {wildcards.run}"
            " --seed {wildcards.seed} --out {output} > {log} 2>&1"


if CORPUS_COUPLINGS := corpus_couplings(STUDY):

    rule couple_corpus:
        input:
            unpack(
                given(
                    LAYOUT.couplings(
                        "{world}", "{run}", "{seed}", "{pairs}", "{steps}"
                    ),
                    checkpoint=get_own_checkpoint,
                )
            ),
        output:
            LAYOUT.couplings("{world}", "{run}", "{seed}", "{pairs}", "{steps}"),
        log:
            f"{LOGS}/couple_corpus/{{world}}.{{run}}.seed{{seed}}.{{pairs}}.{{steps}}.log",
        benchmark:
            f"{TIMES}/couple_corpus/{{world}}.{{run}}.seed{{seed}}.{{pairs}}.{{steps}}.tsv"
        wildcard_constraints:
            world=either({job.world for job in CORPUS_COUPLINGS}),
            pairs=r"\d+",
            steps=r"\d+",
        priority: 20
        conda:
            ENVIRONMENT
        threads: STUDY.runtime.threads
        resources:
            mem_mb=growing(8000),
            runtime=growing(1440),
            gpu=GPUS,
        params:
            config=STUDY_FILE,
            model=lambda wildcards, input: Path(str(input.checkpoint)).parents[1],
        message:
            "Make {wildcards.pairs} couplings of noise and rows of {wildcards.world} by run {wildcards.run},"
            " seed {wildcards.seed}"
        shell:
            "xpflow corpus couple {wildcards.world} {params.model} --config {params.config} --run {wildcards.run}"
            " --count {wildcards.pairs} --steps {wildcards.steps} --seed {wildcards.seed} --out {output}"
            " > {log} 2>&1"
