"""`xpflow image`: build the container image, say which one is used, write the record inside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FILE, examples, new_app

app = new_app("Build the project's container image, or show which one is used.")

Root = Annotated[Path, typer.Option(help="The repository")]


@app.command(epilog=examples("xpflow image build", "xpflow image build --base cpu --engine podman --dry-run"))
def build(
    base: Annotated[
        str, typer.Option(help="cuda, cpu, or any base: a reference, a .sif file, a folder")
    ] = "cuda",
    engine: Annotated[str | None, typer.Option(help="apptainer, docker or podman; the first there")] = None,
    torch_index: Annotated[
        str | None, typer.Option(help="Index of PyTorch's CPU builds; empty: pip's own")
    ] = None,
    extra: Annotated[list[str] | None, typer.Argument(help="After --: more arguments for the engine")] = None,
    dry_run: Annotated[bool, typer.Option(help="Only print the command")] = False,
    root: Root = Path(),
) -> None:
    """Build the image with Apptainer, Docker or Podman; its digest goes to containers/images.local.yaml."""
    from xpflow.errors import ConfigError, nearest
    from xpflow.images.build import ENGINES, find_engine, plan_build, run_build

    if engine is not None and engine not in ENGINES:
        raise ConfigError(f"no such engine: {engine!r}", hint=nearest(engine, ENGINES))
    planned = plan_build(root, engine or find_engine(), base, torch_index)
    if dry_run:
        import shlex

        print(shlex.join(planned.command(extra or ())))
        return
    made = run_build(root, planned, extra or ())
    print(f"{made.reference}  {made.digest}  (recorded in containers/images.local.yaml)")


@app.command(epilog=examples("xpflow image show"))
def show(root: Root = Path()) -> None:
    """Print the image that --use-singularity would take, and whether it fits the sources here."""
    from xpflow.images import choose_container, read_local, read_lock

    local = read_local(root)
    print(json.dumps((local or read_lock(root).image).model_dump(), indent=2))
    choose_container(root, used=True, environment={})
    print("it fits the sources of this checkout")


@app.command(hidden=True)
def stamp(
    build: Annotated[Path, typer.Option(help="Folder of the build, in the image")],
    base: Annotated[str, typer.Option(help="The base image")],
    out: Annotated[Path, OUT_FILE, typer.Option(help="The record")],
) -> None:
    """Write the record of the image that this runs in; used by containers/install.sh."""
    from xpflow.artifacts import atomic_write_text
    from xpflow.images.inside import image_facts
    from xpflow.images.lock import read_lock

    facts = image_facts(build, read_lock(build, path=Path("images.lock.yaml")), base)
    atomic_write_text(out, json.dumps(facts, indent=1) + "\n")
    print(json.dumps(facts))
