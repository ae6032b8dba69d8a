"""`xpflow tables`: argument parsing and one call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FOLDER, examples, new_app

app = new_app()


@app.command(
    epilog=examples(
        "xpflow tables --config config/micro.yaml --results results/micro --out paper_figures/micro"
    )
)
def tables(
    config: Annotated[Path, typer.Option(help="The study")],
    results: Annotated[Path, typer.Option(help="Its results, results/<study>")],
    out: Annotated[Path, OUT_FOLDER, typer.Option(help="Folder of the tables")],
) -> None:
    """Write Table 1, Table 2, the paired contrasts (Markdown, LaTeX, CSV) and what they say about the claims.

    Every cell of the study must be there; a problem that was not graded stops the command.
    """
    from xpflow.cli.recording import stage_record
    from xpflow.reporting.produce import produce_tables
    from xpflow.study.config import load_study
    from xpflow.study.layout import Layout
    from xpflow.study.stages import table_inputs

    study = load_study(config)
    record = stage_record(study, "tables")
    inputs = table_inputs(study, Layout(results, out))
    record.read(*(file for file in inputs if file.exists()))
    paths = produce_tables(study, results, out)
    record.write(paths, "tables")
    for path in paths:
        print(path)
