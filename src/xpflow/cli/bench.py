"""`xpflow bench`: what decoding costs on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import examples, new_app

app = new_app()


@app.command(epilog=examples("xpflow bench", "xpflow bench --model llada-micro --rows 164 --out bench.json"))
def bench(
    model: Annotated[list[str] | None, typer.Option(help="Models; default: both shipped ones")] = None,
    rows: Annotated[int, typer.Option(min=1, help="Prompts of the batched measurements")] = 64,
    batch_size: Annotated[int, typer.Option(min=1, help="Rows decoded together")] = 32,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch")] = 1,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of which the fastest counts")] = 3,
    out: Annotated[Path | None, typer.Option(help="Also write the rows as JSON")] = None,
) -> None:
    """Measure our mask prediction against the plain official loop, and flow beyond its forwards.

    Every comparison runs in this process, in turn, on the same model and MicroPy validation prompts. Seconds
    are CPU seconds, so that another job on the machine does not spoil them. What the stages of a study cost
    stands in the benchmark files beside its results.
    """
    import json

    import torch

    from xpflow.artifacts.io import atomic_write_text
    from xpflow.bench.decoding import bench_model

    torch.set_num_threads(threads)
    found = []
    for name in model or ["llada-micro", "llada2-micro"]:
        for measurement in bench_model(name, rows, batch_size, repeats):
            row = {"model": name, **measurement.to_row()}
            found.append(row)
            print(
                f"{name:13} {row['name']:34} {row['seconds']:8.2f} s {row['nfe']:6d} NFE "
                f"{row['nfe_per_s']:8.1f} NFE/s  {row['note']}",
                flush=True,
            )
    if out is not None:
        atomic_write_text(out, json.dumps(found, indent=1, sort_keys=True) + "\n")
