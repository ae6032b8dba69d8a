"""`xpflow export`: a study as a Workflow Run RO-Crate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FOLDER, examples, new_app

app = new_app()


@app.command(epilog=examples("xpflow export results/micro --out micro-crate"))
def export(
    results: Annotated[Path, typer.Argument(help="results/<study>, finished")],
    out: Annotated[Path, OUT_FOLDER, typer.Option(help="New folder for the crate")],
    workflow: Annotated[Path, typer.Option(help="The workflow's main file")] = Path("Snakefile"),
) -> None:
    """Export a study for other tools: RO-Crate 1.1 with the Workflow Run profile, and its bill of materials.

    Every manifest becomes an action with its inputs and results. Weights stay behind and are named by hash.
    The environment's packages are listed in bom.json (CycloneDX). A file that is not what its manifest speaks
    of stops it. Needs the extra `export`.
    """
    from importlib.metadata import version

    from xpflow.artifacts.crate import write_bill_of_materials, write_crate
    from xpflow.artifacts.pack import checked_index, foreign_files, small_files, study_folders
    from xpflow.cli.pack import warn_of_foreign
    from xpflow.study.config import load_study
    from xpflow.study.layout import STUDY_FILE

    root, folders = study_folders(results)
    study = load_study(results / STUDY_FILE)
    files = small_files(folders, root)
    checked_index(files, root)
    warn_of_foreign(foreign_files(folders, root))
    actions = write_crate(root, files, out, study.study.title, workflow, version("snakemake"))
    packages = write_bill_of_materials(out / "bom.json")
    print(f"{len(files)} files, {actions} actions, {packages} packages -> {out}")
