rule tables:
    input:
        unpack(
            given(
                *table_files(STUDY, LAYOUT),
                rows=evaluated_files(STUDY, LAYOUT),
                training=training_logs(STUDY, LAYOUT),
                probes=probe_files(STUDY, LAYOUT),
                text=text_files(STUDY, LAYOUT) + corpus_files(STUDY, LAYOUT),
            )
        ),
    output:
        [
            report(
                LAYOUT.figure(name, "md"),
                caption=f"../report/{name}.rst",
                category="Tables",
            )
            for name in [*table_names(STUDY), "claims"]
        ],
        [
            LAYOUT.figure(name, ending)
            for name in table_names(STUDY)
            for ending in ("tex", "csv")
        ],
        LAYOUT.figure("claims", "json"),
    log:
        f"{LOGS}/tables.log",
    benchmark:
        f"{TIMES}/tables.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(30),
    params:
        config=STUDY_FILE,
        results=LAYOUT.results,
        out=lambda wildcards, output: Path(str(output[0])).parent,
    message:
        "Write the tables and the claims of the study to {params.out}"
    shell:
        "xpflow tables --config {params.config} --results {params.results} --out {params.out} > {log} 2>&1"


rule prompts:
    input:
        unpack(
            given(
                LAYOUT.figure("prompts", "md"),
                problems=expand(
                    rules.export_problems.output, benchmark=STUDY.benchmark_names
                ),
            )
        ),
    output:
        report(
            LAYOUT.figure("prompts", "md"),
            caption="../report/prompts.rst",
            category="Prompts",
        ),
    log:
        f"{LOGS}/prompts.log",
    benchmark:
        f"{TIMES}/prompts.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(600),
        runtime=growing(10),
    params:
        config=STUDY_FILE,
        problems=lambda wildcards, input: Path(str(input.problems[0])).parent,
    message:
        "Write the first prompts of the study, as its models see them, to {output}"
    shell:
        "xpflow prompts --config {params.config} --problems {params.problems} --out {output} > {log} 2>&1"


rule figures:
    input:
        unpack(
            given(
                *figure_files(STUDY, LAYOUT),
                rows=evaluated_files(STUDY, LAYOUT),
                training=training_logs(STUDY, LAYOUT),
                probes=probe_files(STUDY, LAYOUT),
                text=text_files(STUDY, LAYOUT) + corpus_files(STUDY, LAYOUT),
                policy=policy_logs(STUDY, LAYOUT),
                trace=LAYOUT.trace if TRACE else [],
            )
        ),
    output:
        [
            report(
                LAYOUT.figure(name, ending),
                caption=f"../report/{caption_of(name)}.rst",
                category="Figures",
                labels={"figure": name, "format": ending},
            )
            for name in figure_names(STUDY)
            for ending in STUDY.reporting.figure_formats
        ],
    log:
        f"{LOGS}/figures.log",
    benchmark:
        f"{TIMES}/figures.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(30),
    params:
        config=STUDY_FILE,
        results=LAYOUT.results,
        out=lambda wildcards, output: Path(str(output[0])).parent,
        trace=lambda wildcards, input: f"--trace {input.trace}" if input.trace else "",
    message:
        "Draw the figures of the study in {params.out}"
    shell:
        "xpflow figures --config {params.config} --results {params.results} --out {params.out} {params.trace}"
        " > {log} 2>&1"


rule report:
    input:
        unpack(
            given(
                LAYOUT.figure("report", "html"),
                rows=evaluated_files(STUDY, LAYOUT),
                training=training_logs(STUDY, LAYOUT),
                probes=probe_files(STUDY, LAYOUT),
                text=text_files(STUDY, LAYOUT) + corpus_files(STUDY, LAYOUT),
                policy=policy_logs(STUDY, LAYOUT),
                trace=LAYOUT.trace if TRACE else [],
                problems=expand(
                    rules.export_problems.output, benchmark=STUDY.benchmark_names
                ),
                # The page says what the audit finds of these.
                tables=rules.tables.output,
                prompts=rules.prompts.output if STUDY.models else [],
                figures=rules.figures.output,
            )
        ),
    output:
        report(
            LAYOUT.figure("report", "html"),
            caption="../report/report.rst",
            category="Report",
        ),
    log:
        f"{LOGS}/report.log",
    benchmark:
        f"{TIMES}/report.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        config=STUDY_FILE,
        results=LAYOUT.results,
    message:
        "Write the report of the study, a page to open and question, to {output}"
    shell:
        "xpflow report --config {params.config} --results {params.results} --out {output} > {log} 2>&1"
