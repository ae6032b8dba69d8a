"""`xpflow corpus train`: a run of a study's block `text` on packed rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FOLDER, examples
from xpflow.cli.corpus_job import Study, Texts

EXAMPLES = examples(
    "xpflow corpus train lm1b --config config/lomdm-paper.yaml --run lomdm --rows rows/train --out runs/lomdm"
)


def train(
    texts: Texts,
    config: Study,
    run: Annotated[str, typer.Option(help="A name in text.runs")],
    rows: Annotated[Path, typer.Option(help="What `xpflow corpus pack` wrote of the texts' `train`")],
    out: Annotated[Path, OUT_FOLDER, typer.Option(help="Folder for checkpoint, recipe.json and log.jsonl")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, order of rows, and masks")] = 0,
    start: Annotated[
        Path | None, typer.Option("--from", help="Folder of the run whose weights this one starts from")
    ] = None,
    couplings: Annotated[
        Path | None, typer.Option(help="What `xpflow corpus couple` made for the run")
    ] = None,
) -> None:
    """Train a model on packed rows; resumes after a kill.

    With runtime.processes above 1 it starts itself that many times, unless torchrun or a cluster already did.
    """
    from xpflow.artifacts.manifest import files_below
    from xpflow.cli.recording import stage_record
    from xpflow.cli.text_files import settings_of_files
    from xpflow.runtime.processes import keeps_record, run_in_processes
    from xpflow.study.config import load_study
    from xpflow.study.corpus import find_corpus_run
    from xpflow.study.layout import CORPUS_FILES

    study = load_study(config)
    job = find_corpus_run(study, texts, run, seed)
    files = settings_of_files(study, job, start, couplings)

    def work() -> None:
        from xpflow.runtime.models import set_up
        from xpflow.training.corpus_stage import train_run

        set_up(study)
        train_run(study, job, rows, out, record.code, start, files)

    record = stage_record(study, "corpus-train", world=job.world, run=job.run, seed=job.seed)
    if keeps_record():
        record.read(rows, *([start / "checkpoint"] if start else []), *([couplings] if couplings else []))
    options = {"config": config, "run": run, "rows": rows, "out": out, "seed": seed}
    options |= {"from": start} if start else {}
    options |= {"couplings": couplings} if couplings else {}
    arguments = [part for key, value in options.items() for part in (f"--{key}", str(value))]
    run_in_processes(study.runtime.processes, ["corpus", "train", texts, *arguments], work)
    if keeps_record():
        record.write([out / name for name in CORPUS_FILES], "train")
        record.write(files_below([out / "checkpoint"]), "train")
