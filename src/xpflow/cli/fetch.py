"""`xpflow fetch`: the models and data sets of a study, once, at pinned revisions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FILE, examples, new_app

app = new_app()


@app.command(
    epilog=examples(
        "xpflow fetch --config config/micro.yaml",
        "xpflow fetch --config config/micro.yaml --only mbpp --out results/hub/mbpp.json",
    )
)
def fetch(
    config: Annotated[Path, typer.Option(help="Study whose models and data sets to fetch")],
    only: Annotated[
        str | None, typer.Option(help="Only this one: a model's short name or a data set's")
    ] = None,
    out: Annotated[
        Path | None,
        OUT_FILE,
        typer.Option(help="Lock file of --only; default: in results/hub, by name and revision"),
    ] = None,
) -> None:
    """Fetch what a study needs of the model hub.

    Revisions are pinned, disk space is checked first, every file's SHA-256 is recorded in a lock (or must be
    the one in the lock). Everything else runs without the hub. Access to gated models: `hf auth login`.
    """
    import sys

    from xpflow.errors import ConfigError, nearest
    from xpflow.hub.fetch import fetch as run
    from xpflow.hub.remote import HuggingFaceHub
    from xpflow.study.config import load_study
    from xpflow.study.needs import repos_of

    repos = {repo.name: repo for repo in repos_of(load_study(config))}
    if only is not None and only not in repos:
        raise ConfigError(f"the study needs no {only!r} of the hub", hint=nearest(only, repos))
    if out is not None and only is None:
        raise ConfigError("--out is one lock file", hint="say which repository with --only NAME")
    if not repos:
        print("nothing to fetch: the study's models and data are local")
    for repo in repos.values():
        if only in (None, repo.name):
            path = out or Path("results/hub") / repo.lock
            lock = run(repo, path, HuggingFaceHub(), lambda text: print(text, file=sys.stderr, flush=True))
            print(f"{repo.name}: {len(lock.files)} files, locked in {path}")
