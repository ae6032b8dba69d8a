"""`xpflow config`: show, check and describe the configuration of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FILE, examples, new_app

app = new_app("Show, check or describe a study's configuration.")

File = Annotated[Path, typer.Argument(metavar="FILE", help="A study's file")]
Out = Annotated[Path | None, OUT_FILE, typer.Option(help="Write here instead of printing")]

DEFAULT_FILE = Path("config/micro.yaml")


@app.command(epilog=examples("xpflow config show config/smoke.yaml", "xpflow config show --default"))
def show(
    file: File = DEFAULT_FILE,
    default: Annotated[
        bool, typer.Option("--default", help="The defaults, commented, whatever FILE says")
    ] = False,
    out: Out = None,
) -> None:
    """Print a study, defaults filled in."""
    from xpflow.study.config import StudyConfig, load_study
    from xpflow.study.config.render import render_plain, render_yaml

    _emit(render_yaml(StudyConfig()) if default else render_plain(load_study(file)), out)
    if out is not None and not default:
        from xpflow.artifacts.record import Record

        record = Record("config")
        record.read(file)
        record.write([out])


@app.command(epilog=examples("xpflow config check config/*.yaml"))
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Studies' files")],
    decoders: Annotated[
        bool, typer.Option(help="Check the arms' settings with their decoders (loads torch)")
    ] = True,
) -> None:
    """Validate files and say how large they are.

    The settings of the arms are checked with the decoders' own rules.
    """
    from xpflow.study.check import check_arms, check_study
    from xpflow.study.config import load_study
    from xpflow.study.rows import expand

    for file in files:
        config = load_study(file)
        check_study(config, str(file))
        if decoders:
            check_arms(config, str(file))
        arms, rows = len(config.evaluation.arms), len(expand(config))
        print(f"{file}: valid; study {config.study.name}, {arms} arms, {rows} decodings")


@app.command(epilog=examples("xpflow config schema --out config/schema.json"))
def schema(out: Out = None) -> None:
    """Print the JSON schema of a study."""
    from xpflow.study.config.render import render_schema

    _emit(render_schema(), out)


def _emit(text: str, out: Path | None) -> None:
    if out is None:
        print(text, end="")
        return
    from xpflow.artifacts.io import atomic_write_text

    atomic_write_text(out, text)
