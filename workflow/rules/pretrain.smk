# The shipped models, from random weights; hours. `snakemake pretrain` asks for it, nothing else does.
rule pretrain_model:
    input:
        unpack(given(f"{PRETRAIN}/{{model}}/checkpoint/model.safetensors")),
    output:
        f"{PRETRAIN}/{{model}}/checkpoint/model.safetensors",
    log:
        f"{PRETRAIN}/logs/{{model}}.log",
    benchmark:
        f"{PRETRAIN}/benchmarks/{{model}}.tsv"
    conda:
        ENVIRONMENT
    threads: STUDY.runtime.threads
    resources:
        mem_mb=growing(2000),
        runtime=720,
    params:
        config=CONFIG,
        folder=lambda wildcards, output: Path(str(output)).parents[1],
    message:
        "Train {wildcards.model} on a generated world from random weights; goes on from its last saved state"
    shell:
        "xpflow pretrain --config {params.config} --model {wildcards.model} --out {params.folder} >> {log} 2>&1"


rule pretrain:
    input:
        expand(rules.pretrain_model.output, model=list(STUDY.pretrain.steps)),
