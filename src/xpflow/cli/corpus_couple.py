"""`xpflow corpus couple`: rows with the noise that a trained model made them from (ReDi)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FILE, examples
from xpflow.cli.corpus_job import RunOfModel, Study, Texts, Trained, begin

EXAMPLES = examples(
    "xpflow corpus couple lm1b runs/mdlm --config config/imdm-paper.yaml --run mdlm --count 100000 "
    "--steps 1024 --out pairs.safetensors"
)


def couple(
    texts: Texts,
    folder: Trained,
    config: Study,
    run: RunOfModel,
    count: Annotated[int, typer.Option(min=1, help="How many")],
    steps: Annotated[int, typer.Option(min=1, help="Steps at most; noise is kept along a path")],
    out: Annotated[Path, OUT_FILE, typer.Option(help="File of couplings")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the run, of noise and of tokens")] = 0,
) -> None:
    """Make rows from noise by a trained model, for a student that learns the pairs."""
    from xpflow.study.corpus import find_corpus_couplings
    from xpflow.study.text import CouplingJob, TextJob
    from xpflow.training.corpus_folder import couple_rows
    from xpflow.training.corpus_stage import model_of

    wanted = CouplingJob(texts, run, seed, count, steps)
    study, job, record = begin("corpus-couple", config, lambda study: find_corpus_couplings(study, wanted))
    record.read(folder / "checkpoint", folder / "recipe.json")
    model = model_of(study, TextJob(job.world, job.run, job.seed), folder)
    couple_rows(model, job.pairs, job.steps, job.seed).save(out)
    record.write([out])
    print(f"{out}: {count} couplings")
