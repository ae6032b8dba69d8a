"""`xpflow cluster`: would SLURM take the jobs?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import examples, new_app

app = new_app()
PARTITIONS = "workflow/profiles/slurm/partitions.yaml"


@app.command(epilog=examples(f"xpflow cluster --partitions {PARTITIONS} --account my_project --gpu"))
def cluster(
    partitions: Annotated[Path | None, typer.Option(help="The profile's file of partitions")] = None,
    account: Annotated[str, typer.Option(help="The account that jobs run under; empty: your default")] = "",
    status_command: Annotated[str, typer.Option(help="squeue or sacct, as in the profile")] = "squeue",
    gpu: Annotated[bool, typer.Option(help="The study runs on GPUs")] = False,
) -> None:
    """Ask SLURM whether it would take a study's jobs; submits nothing. The workflow asks before its first."""
    from xpflow.slurm import check_cluster

    for line in check_cluster(partitions, account=account, status_command=status_command, gpu=gpu):
        print(line, flush=True)
