"""`xpflow problems`: which benchmarks there are, what a problem looks like, and files of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xpflow.cli.base import OUT_FILE, OUT_FOLDER, examples, new_app
from xpflow.cli.inputs import as_listed

if TYPE_CHECKING:
    from xpflow.problems import Problem
    from xpflow.problems.benchmark import Sources

app = new_app("List, show or export the problems of a benchmark.")

Name = Annotated[
    str, typer.Argument(metavar="BENCHMARK", help="Name of a benchmark (`xpflow problems list`)")
]
Split = Annotated[str | None, typer.Option(help="Split; the benchmark's own default when left out")]
Limit = Annotated[int | None, typer.Option(min=0, help="Only the first problems")]
DataFile = Annotated[
    Path | None, typer.Option("--file", callback=as_listed, help="Local data file instead of the hub's")
]


@app.command("list", epilog=examples("xpflow problems list"))
def list_() -> None:
    """List the benchmarks and their splits.

    The first split is the default one.
    """
    from xpflow.problems.benchmarks import BENCHMARKS

    width = max(map(len, BENCHMARKS))
    for name in BENCHMARKS:
        entry = BENCHMARKS[name]
        splits = [entry.default_split, *(split for split in entry.splits if split != entry.default_split)]
        print(f"{name:<{width}}  {entry.about} ({', '.join(splits)})")


@app.command(
    epilog=examples(
        "xpflow problems show micropy-he --limit 2", "xpflow problems show mbpp --file mbpp.jsonl"
    )
)
def show(name: Name, split: Split = None, limit: Limit = 1, file: DataFile = None) -> None:
    """Print prompts, solutions and tests."""
    from xpflow.problems.benchmark import load_benchmark

    for problem in load_benchmark(name, split, limit, file_source(name, file)):
        entry = f", entry point {problem.entry_point}" if problem.entry_point else ""
        print(f"# {problem.task_id} ({problem.source}, {problem.split}){entry}")
        print(problem.prompt.rstrip())
        print("# canonical solution")
        print(problem.canonical_solution.rstrip())
        print("# tests", *problem.tests, "", sep="\n")


@app.command(epilog=examples("xpflow problems export micropy-mbpp --split validation --out problems.jsonl"))
def export(
    name: Name,
    out: Annotated[Path, OUT_FILE, typer.Option(help="File to write, in the schema of its shape")],
    split: Split = None,
    limit: Limit = None,
    file: DataFile = None,
    config: Annotated[
        Path | None, typer.Option(callback=as_listed, help="Study whose data sources apply")
    ] = None,
) -> None:
    """Write problems to a file.

    `--problems` of the other commands reads it.
    """
    from xpflow.errors import ConfigError
    from xpflow.problems import problems_to_file
    from xpflow.problems.benchmark import load_benchmark

    if config is not None and file is not None:
        raise ConfigError("give --file or --config", hint="a study names the data that it uses")
    if config is None:
        problems = load_benchmark(name, split, limit, file_source(name, file))
        problems_to_file(out, problems)
    else:
        problems = _export_of_study(config, name, split, limit, out)
    print(f"{out}: {len(problems)} problem{'s' * (len(problems) != 1)}")


@app.command(
    epilog=examples(
        "xpflow problems dataset micropy-he micropy-mbpp --out micropy/",
        "xpflow problems dataset --problems mine.jsonl --out mine/",
    )
)
def dataset(
    out: Annotated[Path, OUT_FOLDER, typer.Option(help="Folder for Parquet files and their card")],
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[BENCHMARK]...", help="Names of benchmarks (`xpflow problems list`)"),
    ] = None,
    problems: Annotated[
        list[Path] | None,
        typer.Option(callback=as_listed, help="A file of problems, named by its stem; repeat"),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(callback=as_listed, help="Study whose data sources apply")
    ] = None,
) -> None:
    """Write benchmarks, and files of problems, as a data set that `datasets.load_dataset` reads.

    Every benchmark is a configuration with all its splits; README.md is the card.
    """
    from xpflow.errors import ConfigError
    from xpflow.problems import problems_from_file
    from xpflow.problems.dataset import of_benchmark, of_problems, write_dataset
    from xpflow.study.config import load_study

    if not names and not problems:
        raise ConfigError("name a benchmark, or a file of problems", hint="`xpflow problems list` lists them")
    sources = load_study(config).problems.sources.model_dump() if config else {}
    found = [of_benchmark(name, sources) for name in names or ()]
    found += [of_problems(file.name.partition(".")[0], problems_from_file(file)) for file in problems or ()]
    if len({one.name for one in found}) < len(found):
        raise ConfigError("two configurations have one name", hint="name each once, and rename the file")
    write_dataset(out, found)
    for one in found:
        print(f"{out / one.name}: {', '.join(f'{split} {len(part)}' for split, part in one.splits.items())}")


def _export_of_study(
    config: Path, name: str, split: str | None, limit: int | None, out: Path
) -> list[Problem]:
    """Write the problems of a benchmark by its name in a study, from the study's sources, with a manifest."""
    from xpflow.cli.recording import local_sources, source_facts, stage_record
    from xpflow.problems import problems_to_file
    from xpflow.problems.benchmark import load_benchmark
    from xpflow.problems.benchmarks import BENCHMARKS
    from xpflow.study.config import load_study

    study = load_study(config)
    entry, sources = study.benchmark_entry(name), study.problems.sources.model_dump()
    split = split or BENCHMARKS[entry].default_split
    record = stage_record(study, "problems", benchmark=name, split=split)
    record.read(*local_sources(study))
    problems = load_benchmark(entry, split, limit, sources)
    problems_to_file(out, problems)
    record.write([out], **source_facts(study))
    return problems


def file_source(name: str, file: Path | None) -> Sources:
    """Return the data sources with a local file for one benchmark; raises DataError if it takes none."""
    from xpflow.problems.benchmarks import BENCHMARKS

    return BENCHMARKS[name].with_file(file) if file is not None else {}
