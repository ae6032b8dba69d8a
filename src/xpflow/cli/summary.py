"""`xpflow summary`: argument parsing and one call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import examples, new_app

app = new_app()


@app.command(
    epilog=examples(
        "xpflow summary --config config/micro.yaml --results results/micro --figures paper_figures/micro"
    )
)
def summary(
    config: Annotated[Path, typer.Option(help="The study")],
    results: Annotated[Path, typer.Option(help="Its results, results/<study>")],
    figures: Annotated[Path, typer.Option(help="Folder of its tables and figures")],
    took: Annotated[
        float | None, typer.Option(min=0.0, help="Seconds that the run took, if it just did")
    ] = None,
    short: Annotated[bool, typer.Option("--short", help="Without the table and the single claims")] = False,
) -> None:
    """Say what a study found: its headline table, the claims with their verdicts, and where its report is.

    It reads the tables that are there and computes nothing.
    """
    import sys

    from xpflow.display.ending import show_summary
    from xpflow.reporting.summary import summarize
    from xpflow.study.config import load_study
    from xpflow.study.layout import Layout
    from xpflow.study.times import recorded

    layout = Layout(results, figures)
    found = summarize(load_study(config), layout, headline=not short)
    work = sum(sum(seconds) for seconds in recorded(layout.times).values())
    show_summary(found, sys.stdout, seconds=took, work=work, short=short)
