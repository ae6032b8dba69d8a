"""`xpflow align`: x-prediction alignment of a model on its own answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import examples, new_app

app = new_app()


@app.command(
    epilog=examples("xpflow align --model llada-micro --variant paper --data selfdata.jsonl --out aligned")
)
def align(
    model: Annotated[str, typer.Option(help="A model of the study")],
    data: Annotated[Path, typer.Option(help="What `xpflow selfdata` wrote")],
    out: Annotated[Path, typer.Option(help="Folder for the aligned checkpoint and log.jsonl")],
    variant: Annotated[str, typer.Option(help="A name in alignment.variants")] = "paper",
    seed: Annotated[int, typer.Option(help="Seed of data order, masks and adapters")] = 0,
    config: Annotated[Path, typer.Option(help="Study")] = Path("config/micro.yaml"),
) -> None:
    """Align a model so that clean tokens predict themselves (Eq. 11-12); resumes after a kill.

    With runtime.processes above 1 it starts itself that many times, unless torchrun or a cluster already did.
    """
    from xpflow.artifacts.manifest import files_below
    from xpflow.cli.recording import base_files, give, stage_record, taken
    from xpflow.runtime.processes import keeps_record, run_in_processes
    from xpflow.study.config import load_study

    study = load_study(config)

    def work() -> None:
        from xpflow.runtime.models import set_up
        from xpflow.training.align_run import align_to_folder

        set_up(study)
        align_to_folder(study, model, variant, seed, data, out)

    record = stage_record(study, "align", model=model, variant=variant, seed=seed)
    if keeps_record():
        record.read(data, *base_files(study, model))
        if taken(record, out, "align"):
            return
    options = {"model": model, "data": data, "out": out, "variant": variant, "seed": seed, "config": config}
    arguments = [part for key, value in options.items() for part in (f"--{key}", str(value))]
    run_in_processes(study.runtime.processes, ["align", *arguments], work)
    if keeps_record():
        give(record.write(files_below([out]), "align"))
