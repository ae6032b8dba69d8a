"""`xpflow merge`: shards into whole files, the same bytes in any order."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FILE, OUT_FOLDER, examples, new_app

app = new_app("Merge shards; the bytes depend on the rows alone, not on the order or number of files.")


@app.command(epilog=examples("xpflow merge rows part-1.jsonl part-2.jsonl --out whole.jsonl"))
def rows(
    parts: Annotated[list[Path], typer.Argument(metavar="FILE...", help="JSON lines with a task_id")],
    out: Annotated[Path, OUT_FILE, typer.Option(help="Merged file, sorted by task_id")],
) -> None:
    """Merge files of rows; a task that comes twice is an error."""
    from xpflow.artifacts.record import Record
    from xpflow.evaluation.merge import merge_rows

    record = Record("merge", {"rows": out.stem})
    record.read(*parts, temporary=True)
    count = merge_rows(parts, out)
    record.write([out])
    print(f"{count} {'row' if count == 1 else 'rows'} -> {out}")


@app.command(
    epilog=examples("xpflow merge evaluation parts/1 parts/2 --problems he.jsonl --out eval/micropy-he")
)
def evaluation(
    parts: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="Folders with samples.jsonl and verdicts.jsonl")
    ],
    problems: Annotated[Path, typer.Option(help="Every problem of the benchmark; gives the order")],
    out: Annotated[
        Path,
        OUT_FOLDER,
        typer.Option(help="Folder of the benchmark, results/<study>/<model>/eval/<benchmark>"),
    ],
) -> None:
    """Sort graded shards of a decoding job into OUT/<arm>/<budget>/seed<seed>/{samples,verdicts}.jsonl.

    A run that lacks a problem, or has one twice, is an error.
    """
    from xpflow.artifacts.record import Record
    from xpflow.evaluation.merge import merge_evaluation, tasks_of
    from xpflow.study.layout import SAMPLES, VERDICTS, row_names

    record = Record("merge")
    record.read(problems)
    record.read(*(part / name for part in parts for name in (SAMPLES, VERDICTS)), temporary=True)
    for folder in merge_evaluation(parts, tasks_of(problems), out):
        record.stage = {"command": "merge", **row_names(folder)}
        record.write([folder / SAMPLES, folder / VERDICTS], "merge")
        print(folder)
