"""`xpflow pack`: one archive of a study's small artifacts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FILE, examples, new_app

app = new_app()


@app.command(
    epilog=examples(
        "xpflow pack results/micro --out micro.tar.xz",
        "xpflow unpack micro.tar.xz && make tables STUDY=micro",
    )
)
def pack(
    results: Annotated[Path, typer.Argument(help="results/<study>")],
    out: Annotated[Path, OUT_FILE, typer.Option(help="Archive to write, .tar.xz")],
) -> None:
    """Pack configuration, verdicts, samples, logs of training, manifests, tables and figures: no weights.

    Whoever unpacks it can audit the study and make its tables again without a model. A file that is not what
    its manifest lists stops it, one that stays behind too.
    """
    from xpflow.artifacts.pack import foreign_files, small_files, study_folders
    from xpflow.artifacts.pack import pack as write

    root, folders = study_folders(results)
    records = write(small_files(folders, root), root, out)
    warn_of_foreign(foreign_files(folders, root))
    size = sum(record.size for record in records)
    print(f"{len(records)} files, {size / 1e6:.1f} MB -> {out}, {out.stat().st_size / 1e6:.1f} MB")


def warn_of_foreign(paths: Sequence[str]) -> None:
    """Say on the error stream which files no manifest lists, if there are any."""
    if paths:
        more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
        print(f"warning: no manifest lists {', '.join(paths[:3])}{more}", file=sys.stderr)
