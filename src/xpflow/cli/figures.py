"""`xpflow figures`: argument parsing and one call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FOLDER, examples, new_app

app = new_app()


@app.command(
    epilog=examples(
        "xpflow figures --config config/micro.yaml --results results/micro --out paper_figures/micro",
        "xpflow figures --config config/micro.yaml --results results/micro --out . --only sweep",
    )
)
def figures(
    config: Annotated[Path, typer.Option(help="The study")],
    results: Annotated[Path, typer.Option(help="Its results, results/<study>")],
    out: Annotated[Path, OUT_FOLDER, typer.Option(help="Folder of the figures")],
    only: Annotated[
        list[str] | None, typer.Option(help="alignment (2a, 2b), sweep, grpo or trace; repeat")
    ] = None,
    trace: Annotated[Path | None, typer.Option(help="A file of `xpflow decode --trace`")] = None,
) -> None:
    """Draw Figures 2a and 2b, the budget sweep, the policy's learning curve and one decoding trace.

    A study that has nothing to draw, one whose models are only trained and measured, is told so: no file is
    written.
    """
    import sys

    from xpflow.cli.recording import stage_record
    from xpflow.errors import ConfigError
    from xpflow.reporting.produce import produce_figures
    from xpflow.study.config import load_study
    from xpflow.study.layout import Layout
    from xpflow.study.stages import figure_inputs

    if trace is not None and only and "trace" not in only:
        raise ConfigError(
            "--trace does nothing here: --only leaves the figure trace out", hint="leave it out"
        )
    study = load_study(config)
    record = stage_record(study, "figures")
    inputs = [*figure_inputs(study, Layout(results, out)), *filter(None, [trace])]
    record.read(*(file for file in inputs if file.exists()))
    paths = produce_figures(study, results, out, only or (), trace)
    if not paths:
        print(f"study {study.study.name} has nothing to draw: no figure was written", file=sys.stderr)
        return
    record.write(paths, "figures")
    for path in paths:
        print(path)
