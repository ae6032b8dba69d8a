rule tables:
    input:
        samples=get_all_runs("samples.jsonl"),
        verdicts=get_all_runs("verdicts.jsonl"),
        alignment=get_alignment_logs,
    output:
        [
            report(
                f"{FIGURES}/{name}.md",
                caption=f"../report/{name}.rst",
                category="Tables",
            )
            for name in [*TABLE_NAMES, "claims"]
        ],
        expand(
            f"{FIGURES}/{{name}}.{{ending}}", name=TABLE_NAMES, ending=["tex", "csv"]
        ),
        f"{FIGURES}/claims.json",
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
        code=code_fingerprint("tables"),
        config=STUDY_FILE,
        settings=fp.report(STUDY),
        results=lambda wildcards: RESULTS,
        out=lambda wildcards, output: Path(str(output[0])).parent,
    message:
        "Write Tables 1 and 2, the paired comparisons and the claims to {params.out}"
    shell:
        "xpflow tables --config {params.config} --results {params.results} --out {params.out} > {log} 2>&1"


rule prompts:
    input:
        expand(rules.export_problems.output, benchmark=STUDY.benchmark_names),
    output:
        report(
            f"{FIGURES}/prompts.md",
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
        mem_mb=600,
        runtime=10,
    params:
        code=code_fingerprint("prompts"),
        config=STUDY_FILE,
        settings=fp.prompts(STUDY),
        problems=lambda wildcards, input: Path(str(input[0])).parent,
    message:
        "Write the first prompts of the study, as its models see them, to {output}"
    shell:
        "xpflow prompts --config {params.config} --problems {params.problems} --out {output} > {log} 2>&1"


rule figures:
    input:
        samples=get_all_runs("samples.jsonl"),
        verdicts=get_all_runs("verdicts.jsonl"),
        alignment=get_alignment_logs,
        policy=expand(rules.train_policy.output.log, seed=policy_seeds(STUDY)),
        trace=rules.trace.output if TRACE else [],
    output:
        [
            report(
                f"{FIGURES}/{name}.{ending}",
                caption=f"../report/{name}.rst",
                category="Figures",
                labels={"figure": name, "format": ending},
            )
            for name in FIGURE_NAMES
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
        code=code_fingerprint("figures"),
        config=STUDY_FILE,
        settings=fp.report(STUDY),
        results=lambda wildcards: RESULTS,
        out=lambda wildcards, output: Path(str(output[0])).parent,
        trace=lambda wildcards, input: f"--trace {input.trace}" if input.trace else "",
    message:
        "Draw Figures 2a and 2b, accuracy against budget and the decoding picture in {params.out}"
    shell:
        "xpflow figures --config {params.config} --results {params.results} --out {params.out} {params.trace}"
        " > {log} 2>&1"
