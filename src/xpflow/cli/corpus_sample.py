"""`xpflow corpus sample`: texts of a trained model, in float64."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FOLDER, examples

EXAMPLES = examples(
    "xpflow corpus sample lm1b runs/lomdm --config config/lomdm-paper.yaml --run lomdm --out samples"
)


def sample(
    texts: Annotated[str, typer.Argument(metavar="TEXTS", help="A name in text.corpus.texts")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of `xpflow corpus train`")],
    config: Annotated[Path, typer.Option(help="Study")],
    run: Annotated[str, typer.Option(help="The run in text.runs whose model it is")],
    out: Annotated[Path, OUT_FOLDER, typer.Option(help="Folder for a file of each number of steps")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the run, of order and of tokens")] = 0,
) -> None:
    """Draw texts from nothing but masks in each of the study's numbers of steps."""
    from xpflow.cli.recording import stage_record
    from xpflow.runtime.models import set_up
    from xpflow.study.config import load_study
    from xpflow.study.corpus import find_corpus_run
    from xpflow.training.corpus_stage import sample_run

    study = load_study(config)
    job = find_corpus_run(study, texts, run, seed)
    set_up(study)
    record = stage_record(study, "corpus-sample", world=job.world, run=job.run, seed=job.seed)
    record.read(folder / "checkpoint", folder / "recipe.json")
    made = sample_run(study, job, folder, out)
    record.write(made, "samples")
    print(f"{out}: {', '.join(path.name for path in made)}")
