"""`xpflow corpus sample`: texts of a trained model, in float64."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FOLDER, examples
from xpflow.cli.corpus_job import RunOfModel, Study, Texts, Trained, begin

EXAMPLES = examples(
    "xpflow corpus sample lm1b runs/lomdm --config config/lomdm-paper.yaml --run lomdm --out samples"
)


def sample(
    texts: Texts,
    folder: Trained,
    config: Study,
    run: RunOfModel,
    out: Annotated[Path, OUT_FOLDER, typer.Option(help="Folder for a file of each number of steps")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the run, of order and of tokens")] = 0,
) -> None:
    """Draw texts from nothing but masks in each of the study's numbers of steps."""
    from xpflow.study.corpus import find_corpus_run
    from xpflow.training.corpus_stage import sample_run

    study, job, record = begin(
        "corpus-sample", config, lambda study: find_corpus_run(study, texts, run, seed)
    )
    record.read(folder / "checkpoint", folder / "recipe.json")
    made = sample_run(study, job, folder, out)
    record.write(made, "samples")
    print(f"{out}: {', '.join(path.name for path in made)}")
