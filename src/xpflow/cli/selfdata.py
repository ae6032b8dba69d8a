"""`xpflow selfdata`: a model's own answers to prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FILE, examples, new_app

app = new_app()


@app.command(epilog=examples("xpflow selfdata --model llada-micro --seed 0 --out selfdata.jsonl"))
def selfdata(
    model: Annotated[str, typer.Option(help="A model of the study, or a checkpoint directory")],
    out: Annotated[Path, OUT_FILE, typer.Option(help="JSONL file: {task_id, prompt_ids, response, kind}")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the study; each has prompts of its own")] = 0,
    shard: Annotated[str, typer.Option(help="K/N: only every N-th row from the K-th")] = "1/1",
    config: Annotated[Path, typer.Option(help="Study")] = Path("config/micro.yaml"),
) -> None:
    """Answer prompts as block `selfdata` says: the data that runs of block `training` learn from."""
    from xpflow.artifacts.io import write_jsonl
    from xpflow.cli.progress import progress
    from xpflow.cli.recording import base_files, local_sources, source_facts, stage_record
    from xpflow.decoding.samples import parse_shard
    from xpflow.runtime.models import model_protocol, model_source, set_up
    from xpflow.study.config import load_study
    from xpflow.training.selfdata import self_aligned_rows

    study = load_study(config)
    set_up(study)
    record = stage_record(study, "selfdata", model=model, seed=seed, shard=shard)
    record.read(*base_files(study, model), *local_sources(study))
    with progress("selfdata") as report:
        rows = self_aligned_rows(
            study,
            model_source(study, model),
            seed,
            shard=parse_shard(shard),
            report=report,
            protocol=model_protocol(study, model),
        )
    write_jsonl(out, rows)
    record.write([out], **source_facts(study))
