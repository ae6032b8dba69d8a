"""`xpflow corpus measure`: the perplexities of a trained model on packed rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FILE, examples
from xpflow.cli.corpus_job import RunOfModel, Study, Texts, Trained, begin

EXAMPLES = examples(
    "xpflow corpus measure lm1b runs/lomdm --config config/lomdm-paper.yaml --run lomdm --rows rows "
    "--out bounds.json"
)


def measure(
    texts: Texts,
    folder: Trained,
    config: Study,
    run: RunOfModel,
    rows: Annotated[
        Path,
        typer.Option(help="Folder with what `xpflow corpus pack` wrote of each of `measured`, by its name"),
    ],
    out: Annotated[
        Path, OUT_FILE, typer.Option(help="File for perplexities, bounds in nats a token, orders")
    ],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the run, of times and of masks")] = 0,
) -> None:
    """Measure what a model bounds the perplexity of held-out and zero-shot texts by."""
    from xpflow.study.corpus import corpus_text, find_corpus_run
    from xpflow.training.corpus_stage import measure_run

    study, job, record = begin(
        "corpus-measure", config, lambda study: find_corpus_run(study, texts, run, seed)
    )
    places = [rows / part.name for part in corpus_text(study, texts).measured]
    record.read(folder / "checkpoint", folder / "recipe.json", *places)
    shown = measure_run(study, job, folder, rows, out)
    record.write([out])
    print(f"{out}: perplexity at most " + ", ".join(f"{value:.2f} ({name})" for name, value in shown.items()))
