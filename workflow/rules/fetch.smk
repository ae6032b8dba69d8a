# What a study needs of the model hub, one job for each repository. The only rule that needs the network, and a
# local one: compute nodes often have none. The lock files are shared by all studies. A study without published
# models and data sets (the micro study) has none of this.
localrules:
    fetch,


rule fetch:
    output:
        # `update`: a lock that is there stays, and what is fetched must match it.
        update(f"{HUB}/{{repo}}@{{revision}}.json"),
    log:
        f"{HUB}/logs/{{repo}}@{{revision}}.log",
    wildcard_constraints:
        repo=either(REPOS),
        revision="[0-9a-f]{12}",
    conda:
        ENVIRONMENT
    # Outside: a container has no network.
    container:
        None
    threads: 1
    resources:
        mem_mb=500,
        runtime=720,
    params:
        config=STUDY_FILE,
    message:
        "Fetch {wildcards.repo} at revision {wildcards.revision} from the model hub, once"
    shell:
        "HF_HUB_OFFLINE=0 xpflow fetch --config {params.config} --only {wildcards.repo} --out {output}"
        " > {log} 2>&1"
