"""`xpflow unpack`: the files of an archive, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FOLDER, examples, new_app

app = new_app()


@app.command(
    epilog=examples(
        "xpflow unpack results/reference/micro-full.tar.xz --into /tmp/check",
        "xpflow unpack micro.tar.xz && xpflow audit results/micro",
    )
)
def unpack(
    archive: Annotated[Path, typer.Argument(help="What `xpflow pack` wrote")],
    into: Annotated[
        Path, OUT_FOLDER, typer.Option(help="Folder that results/ and paper_figures/ go to")
    ] = Path("."),
) -> None:
    """Unpack a study's small artifacts; every file is checked against the archive's index first.

    Only results/<study> and paper_figures/<study> are written to; where anything is wrong, nothing is.
    """
    from xpflow.artifacts.pack import unpack as read

    records = read(archive, into)
    print(f"{len(records)} files -> {into}")
