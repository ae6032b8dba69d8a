"""`xpflow tiny`: random checkpoints and data in the published layouts."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FOLDER, examples, new_app

app = new_app()
MODELS = ("llada-8b-instruct", "llada2.0-mini")
PAIRS = 2000  # requests and answers that a tokenizer is trained on


@app.command(
    epilog=examples(
        "xpflow tiny results/tiny",
        "xpflow tiny results/tiny --model dream-7b-instruct --model dream-coder-7b-instruct",
        "snakemake --configfile config/paper-tiny.yaml",
    )
)
def tiny(
    out: Annotated[Path, OUT_FOLDER, typer.Argument(help="Folder for the checkpoints and the data")],
    model: Annotated[
        list[str] | None,
        typer.Option(help="A published model; repeat it. Default: those of config/paper-tiny.yaml"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the weights")] = 0,
) -> None:
    """Write what config/paper-tiny.yaml needs: the paper's study with tiny random weights, on a CPU.

    Tensor names, shards, token ids and vocabulary sizes are those of the published models; the data has the
    schemas of MBPP, of EvalPlus and of the Tulu 3 personas. The answers of these models mean nothing.
    """
    from xpflow.models.untrained import write_tiny_model
    from xpflow.problems.micropy.dataset import training_pairs
    from xpflow.problems.stand_in import write_stand_ins

    for name in model or MODELS:
        write_tiny_model(name, out / name, islice(training_pairs(0), PAIRS), seed)
        print(f"{name}: random weights -> {out / name}")
    for path in write_stand_ins(out):
        print(f"data -> {path}")
