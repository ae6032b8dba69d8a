"""`xpflow prompts`: which protocols there are, and what each shows a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xpflow.cli.base import OUT_FILE, examples, new_app, unused
from xpflow.cli.inputs import as_listed

if TYPE_CHECKING:
    from xpflow.problems import Problem
    from xpflow.problems.benchmark import Sources
    from xpflow.protocols.protocol import Protocol
    from xpflow.study.config import StudyConfig

app = new_app()


@app.command(
    epilog=examples(
        "xpflow prompts                                            # the protocols",
        "xpflow prompts llada-opencompass                          # what one of them fixes",
        "xpflow prompts llada-opencompass --benchmark humaneval --show",
        "xpflow prompts llada-opencompass --benchmark mbpp --file mbpp.jsonl --problem MBPP/11 --show",
        "xpflow prompts lm-eval-instruct --benchmark humaneval --model llada-micro --show",
        "xpflow prompts --config config/micro.yaml --out prompts.md  # the first prompts of a study",
    )
)
def prompts(
    context: typer.Context,
    protocol: Annotated[str | None, typer.Argument(metavar="PROTOCOL", help="Name of a protocol")] = None,
    benchmark: Annotated[
        str | None, typer.Option(help="Benchmark of the problem (`xpflow problems list`); default: the first")
    ] = None,
    problem: Annotated[
        str, typer.Option(help="Place of the problem in its split, from 0, or its task id")
    ] = "0",
    split: Annotated[str | None, typer.Option(help="Split of the benchmark")] = None,
    model: Annotated[
        str | None,
        typer.Option(
            callback=as_listed,
            help="A model's name or folder: its chat template, and the hash of the token ids",
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option(callback=as_listed, help="Local data file of the benchmark")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the rendered prompt and its hash")] = False,
    config: Annotated[
        Path | None, typer.Option(callback=as_listed, help="Study; without PROTOCOL, its first prompts")
    ] = None,
    problems: Annotated[
        Path | None,
        typer.Option(
            callback=as_listed, help="Folder of the study's problem files, results/<study>/problems"
        ),
    ] = None,
    out: Annotated[Path | None, OUT_FILE, typer.Option(help="Write the study's page here (Markdown)")] = None,
) -> None:
    """List the protocols, describe one, or show a prompt as the model sees it.

    A protocol fixes what a benchmark's name leaves open: chat template, prompt text, worked examples, EOS
    handling, confidence, and how the program is taken out of the answer. A study names one for each model
    (`models[].protocol`), and every result carries its name and version. --show prints the prompt alone on
    stdout, byte for byte, and its hash on stderr.
    """
    from xpflow.problems.benchmarks import BENCHMARKS
    from xpflow.protocols.find import find_protocol
    from xpflow.study.config import load_study

    study = load_study(config) if config else None
    about = ("benchmark", "problem", "split", "model", "file", "show")  # one prompt
    if protocol is None:
        unused(context, "no PROTOCOL is named", *about)
    elif not show:
        unused(context, "it is about --show", *about, "config")
    if protocol is not None or study is None:
        unused(context, "it is about the page of a study: --config, without PROTOCOL", "problems", "out")
    if protocol is not None:
        chosen = find_protocol(protocol)
        if show:
            named = benchmark or next(iter(BENCHMARKS))
            _show(chosen, model, _find(problem, named, split, _sources(named, file, study)))
        else:
            _describe(chosen)
    elif study is not None:
        _page(study, problems, out)
    else:
        _list()


def _list() -> None:
    from xpflow.protocols import PROTOCOLS

    protocols = [PROTOCOLS[name] for name in PROTOCOLS]
    width = max(len(protocol.label) for protocol in protocols)
    for protocol in protocols:
        print(f"{protocol.label:<{width}}  {protocol.about}")


def _describe(protocol: Protocol) -> None:
    """Print what a protocol fixes, for every shape that it has a recipe for."""
    from xpflow.problems.shapes import SHAPES

    template = protocol.template.name if protocol.template else "the model's own"
    end = "cut at the first end-of-text or end-of-turn token" if protocol.cut_at_end else "read to the end"
    print(f"{protocol.label}: {protocol.about}\nsource: {protocol.source}")
    print(f"chat template: {template}\nanswers: {end}, without special tokens")
    for shape, recipe in protocol.recipes.items():
        settings = ", ".join(f"{key}={value}" for key, value in recipe.settings.items())
        print(f"{SHAPES[shape].title}: {settings or 'no decoder settings'}", end="")
        print(f"; extraction {recipe.extraction}", end="")
        print(f"; stops {', '.join(map(repr, recipe.stops))}" if recipe.stops else "")
    print("other shapes: as each words its problems and reads answers (`xpflow.problems.shapes`)")


def _show(protocol: Protocol, model: str | None, problem: Problem) -> None:
    """Print a rendered prompt on stdout and what it is on stderr."""
    import sys

    from xpflow.protocols.prompter import Prompter
    from xpflow.reporting.prompts_page import prompt_facts

    prompter = Prompter(protocol, _tokenizer(model))
    sys.stdout.write(prompter.text(problem))
    sys.stdout.flush()
    facts = "\n".join(f"{name}: {fact}" for name, fact in prompt_facts(prompter, problem))
    print(f"\n{protocol.label}, {problem.task_id}\n{facts}", file=sys.stderr)


def _tokenizer(model: str | None) -> Any:
    if model is None:
        return None
    from xpflow.models.load import named_tokenizer

    return named_tokenizer(model)


def _find(wanted: str, benchmark: str, split: str | None, sources: Sources) -> Problem:
    """Return a problem by its place or its task id."""
    from xpflow.errors import DataError, nearest
    from xpflow.problems.benchmark import load_benchmark

    found = load_benchmark(benchmark, split, None, sources)
    by_id = {problem.task_id: problem for problem in found}
    if wanted in by_id:
        return by_id[wanted]
    if wanted.isdecimal() and int(wanted) < len(found):
        return found[int(wanted)]
    hint = f"give a place from 0 to {len(found) - 1}" if wanted.isdecimal() else nearest(wanted, by_id)
    raise DataError(f"benchmark {benchmark!r} has no problem {wanted!r}", hint=hint)


def _sources(benchmark: str, file: Path | None, study: StudyConfig | None) -> Sources:
    from xpflow.cli.problems import file_source

    if file is None and study is not None:
        return study.problems.sources.model_dump()
    return file_source(benchmark, file)


def _page(study: StudyConfig, folder: Path | None, out: Path | None) -> None:
    """Print or write the first prompts of a study; its problems from files, or from their sources."""
    from xpflow.artifacts.io import atomic_write_text
    from xpflow.cli.recording import stage_record
    from xpflow.problems import problems_from_file
    from xpflow.problems.benchmark import load_benchmark
    from xpflow.reporting.prompts_page import prompts_markdown

    record = stage_record(study, "prompts")
    if folder:
        record.read(*(folder / f"{name}.jsonl" for name in study.benchmark_names))
    sources = study.problems.sources.model_dump()
    text = prompts_markdown(
        study,
        {
            entry.name: problems_from_file(folder / f"{entry.name}.jsonl")
            if folder
            else load_benchmark(entry.entry, entry.split, entry.limit, sources)
            for entry in study.problems.benchmarks
        },
    )
    if out is None:
        print(text, end="")
        return
    atomic_write_text(out, text)
    record.write([out])
    print(out)
