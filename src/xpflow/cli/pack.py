"""`xpflow pack`: one archive of a study's small artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import examples, new_app

app = new_app()


@app.command(
    epilog=examples(
        "xpflow pack results/micro --out micro.tar.xz",
        "xpflow unpack micro.tar.xz && make tables STUDY=micro",
    )
)
def pack(
    results: Annotated[Path, typer.Argument(help="results/<study>")],
    out: Annotated[Path, typer.Option(help="Archive to write, .tar.xz")],
) -> None:
    """Pack configuration, verdicts, samples, logs of training, manifests, tables and figures: no weights.

    Whoever unpacks it can audit the study and make its tables again without a model.
    """
    from xpflow.artifacts.pack import pack as write
    from xpflow.artifacts.pack import small_files

    root = results.parent.parent
    folders = [folder for folder in (results, root / "paper_figures" / results.name) if folder.is_dir()]
    records = write(small_files(folders, root), root, out)
    size = sum(record.size for record in records)
    print(f"{len(records)} files, {size / 1e6:.1f} MB -> {out}, {out.stat().st_size / 1e6:.1f} MB")
