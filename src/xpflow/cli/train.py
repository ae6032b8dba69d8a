"""`xpflow train`: a training run of a model on its own answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FOLDER, examples, new_app

app = new_app()


@app.command(
    epilog=examples(
        "xpflow train --model llada-micro --run paper --data selfdata.jsonl --out runs/paper",
        "xpflow train --model llada-micro --run second --from runs/paper --data selfdata.jsonl --out b",
    )
)
def train(
    model: Annotated[str, typer.Option(help="A model of the study")],
    data: Annotated[Path, typer.Option(help="What `xpflow selfdata` wrote")],
    out: Annotated[Path, OUT_FOLDER, typer.Option(help="Folder for the trained checkpoint and log.jsonl")],
    run: Annotated[str, typer.Option(help="A name in training.runs")] = "paper",
    start: Annotated[
        Path | None, typer.Option("--from", help="Checkpoint of the run that this one starts from")
    ] = None,
    verdicts: Annotated[
        Path | None, typer.Option(help="What `xpflow grade-answers` wrote, for a run with `answers: passed`")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of data order, masks and adapters")] = 0,
    config: Annotated[Path, typer.Option(help="Study")] = Path("config/micro.yaml"),
) -> None:
    """Train a model with a run's objective, as x-prediction alignment (Eq. 11-12); resumes after a kill.

    With runtime.processes above 1 it starts itself that many times, unless torchrun or a cluster already did.
    """
    from xpflow.artifacts.manifest import files_below
    from xpflow.cli.recording import base_files, give, stage_record, taken
    from xpflow.errors import ConfigError
    from xpflow.runtime.processes import keeps_record, run_in_processes
    from xpflow.study.config import load_study
    from xpflow.study.config.training import BASE

    study = load_study(config)
    if (start is None) != (study.run(run).start == BASE):
        raise ConfigError(
            f"run {run!r} starts from {study.run(run).start!r}",
            hint="give --from FOLDER for a run that starts from another, and for no other",
        )
    if (verdicts is None) != (study.run(run).answers == "all"):
        raise ConfigError(
            f"run {run!r} learns from answers: {study.run(run).answers}",
            hint="give --verdicts FILE for a run that learns from those that passed, and for no other",
        )

    def work() -> None:
        from xpflow.runtime.models import set_up
        from xpflow.training.tuning import train_to_folder

        set_up(study)
        train_to_folder(study, model, run, seed, data, out, start, record.code, verdicts)

    record = stage_record(study, "train", model=model, run=run, seed=seed)
    if keeps_record():
        weights = [start] if start else base_files(study, model)
        record.read(data, *filter(None, [verdicts]), *weights)
        if taken(record, out, "train"):
            return
    options = {"model": model, "data": data, "out": out, "run": run, "seed": seed, "config": config}
    options |= {"from": start} if start else {}
    options |= {"verdicts": verdicts} if verdicts else {}
    arguments = [part for key, value in options.items() for part in (f"--{key}", str(value))]
    run_in_processes(study.runtime.processes, ["train", *arguments], work)
    if keeps_record():
        from xpflow.training.spent import take_spent

        give(record.write(files_below([out]), "train", training=take_spent(out)))
