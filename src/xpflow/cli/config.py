"""`xpflow config`: show, check and describe the configuration of a study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xpflow.cli.base import OUT_FILE, examples, new_app

if TYPE_CHECKING:
    from xpflow.study.config import StudyConfig

app = new_app("Show, check or describe a study's configuration.")

File = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="A study's file; default: config/micro.yaml")
]
Out = Annotated[Path | None, OUT_FILE, typer.Option(help="Write here instead of printing")]

DEFAULT_FILE = Path("config/micro.yaml")


@app.command(epilog=examples("xpflow config show config/smoke.yaml", "xpflow config show --default"))
def show(
    file: File = None,
    default: Annotated[
        bool, typer.Option("--default", help="The defaults, commented, instead of FILE")
    ] = False,
    out: Out = None,
) -> None:
    """Print a study, defaults filled in."""
    from xpflow.cli.checks import check_apart
    from xpflow.errors import ConfigError
    from xpflow.study.config import StudyConfig, load_study
    from xpflow.study.config.render import render_plain, render_yaml

    if default:
        if file is not None:
            raise ConfigError("give FILE or --default", hint="the defaults are those of every file")
        _emit(render_yaml(StudyConfig()), out)
        return
    file = file or DEFAULT_FILE
    if out is not None:
        check_apart("--out", out, "FILE", file, "reads")
    _emit(render_plain(load_study(file)), out)
    if out is not None:
        from xpflow.artifacts.record import Record

        record = Record("config")
        record.read(file)
        record.write([out])


@app.command(epilog=examples("xpflow config check config/*.yaml"))
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Studies' files")],
    decoders: Annotated[
        bool,
        typer.Option(help="Check arms, stages, runs and prompts by their plug-ins' own rules (loads torch)"),
    ] = True,
    machine: Annotated[
        bool,
        typer.Option(help="Check that this machine has what the study needs: jail, device, room on disk"),
    ] = True,
) -> None:
    """Validate files, by all that a stage would ask of them, and say how large they are.

    The workflow does this before its first job. What is still to be fetched is checked later, and named.
    """
    import sys

    from xpflow.study.check import check_study
    from xpflow.study.config import load_study
    from xpflow.study.rows import expand

    for file in files:
        config = load_study(file)
        check_study(config, str(file))
        for note in _by_their_own_rules(config, str(file), machine) if decoders else ():
            print(f"{file}: note: {note}", file=sys.stderr)
        arms, rows = len(config.evaluation.arms), len(expand(config))
        print(f"{file}: valid; study {config.study.name}, {arms} arms, {rows} decodings")


def _by_their_own_rules(config: StudyConfig, source: str, machine: bool) -> list[str]:
    """Check what takes torch; returns what there is to say of a valid study."""
    from xpflow.planning.plan import disk_bytes
    from xpflow.runtime.check import check_data, check_machine
    from xpflow.study.check import check_plugins, notes_of

    check_plugins(config, source)
    notes = check_data(config, source, machine)
    if machine:
        check_machine(config, source, disk_bytes(config))
    return [*notes_of(config), *notes]


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
