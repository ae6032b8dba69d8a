"""`xpflow corpus measure`: the perplexities of a trained model on packed rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FILE, examples

EXAMPLES = examples(
    "xpflow corpus measure lm1b runs/lomdm --config config/lomdm-paper.yaml --run lomdm --rows rows "
    "--out bounds.json"
)


def measure(
    texts: Annotated[str, typer.Argument(metavar="TEXTS", help="A name in text.corpus.texts")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of `xpflow corpus train`")],
    config: Annotated[Path, typer.Option(help="Study")],
    run: Annotated[str, typer.Option(help="The run in text.runs whose model it is")],
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
    from xpflow.cli.recording import stage_record
    from xpflow.runtime.models import set_up
    from xpflow.study.config import load_study
    from xpflow.study.corpus import corpus_text, find_corpus_run
    from xpflow.training.corpus_stage import measure_run

    study = load_study(config)
    job = find_corpus_run(study, texts, run, seed)
    places = [rows / part.name for part in corpus_text(study, texts).measured]
    set_up(study)
    record = stage_record(study, "corpus-measure", world=job.world, run=job.run, seed=job.seed)
    record.read(folder / "checkpoint", folder / "recipe.json", *places)
    shown = measure_run(study, job, folder, rows, out)
    record.write([out])
    print(f"{out}: perplexity at most " + ", ".join(f"{value:.2f} ({name})" for name, value in shown.items()))
