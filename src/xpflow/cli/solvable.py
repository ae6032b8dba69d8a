"""`xpflow solvable`: keep the training problems that the base model already solves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FILE, examples, new_app

app = new_app()


@app.command(
    epilog=examples("xpflow solvable --model llada-micro --problems train.jsonl --out solvable.jsonl")
)
def solvable(
    model: Annotated[str, typer.Option(help="A model of the study, or a checkpoint directory")],
    problems: Annotated[
        Path, typer.Option(help="Training problems, as `xpflow problems export` writes them")
    ],
    out: Annotated[Path, OUT_FILE, typer.Option(help="File for the problems that were solved")],
    config: Annotated[Path, typer.Option(help="Study")] = Path("config/micro.yaml"),
) -> None:
    """Decode training problems at full budget, grade the answers and keep what passes."""
    from xpflow.cli.progress import progress
    from xpflow.cli.recording import base_files, stage_record
    from xpflow.problems import problems_from_file, problems_to_file
    from xpflow.runtime.models import model_protocol, model_source, set_up
    from xpflow.study.config import load_study
    from xpflow.training.solvable import solvable_problems

    study = load_study(config)
    set_up(study)
    record = stage_record(study, "solvable", model=model)
    record.read(problems, *base_files(study, model))
    everything = problems_from_file(problems)[: study.solvable.limit]
    with progress("solvable") as report:
        kept = solvable_problems(
            study, model_source(study, model), everything, report, model_protocol(study, model)
        )
    problems_to_file(out, kept)
    record.write([out])
    print(f"{len(kept)} of {len(everything)} problems solved -> {out}")
