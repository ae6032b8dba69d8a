"""`xpflow match`: argument parsing and one call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import examples, new_app

app = new_app()


@app.command(
    epilog=examples(
        "xpflow match --model llada-micro",
        "xpflow match --model llada-micro --checkpoint results/micro/llada-micro/aligned/preserving/seed0",
    )
)
def match(
    model: Annotated[str, typer.Option(help="A model of the study")],
    checkpoint: Annotated[
        Path | None, typer.Option(help="Folder of aligned weights; default: base weights")
    ] = None,
    budget: Annotated[str, typer.Option(help="Mean NFE / N that is wanted")] = "1/4",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first problems of each benchmark")
    ] = None,
    config: Annotated[
        Path, typer.Option(help="Study; its benchmarks' validation problems are decoded")
    ] = Path("config/micro.yaml"),
) -> None:
    """Find the confidence threshold that takes a wanted mean NFE, on validation problems of all benchmarks.

    The thresholds of the arms `threshold-matched-*` of the shipped studies were found with this command.
    """
    import sys

    from xpflow.decoding.settings import parse_budget
    from xpflow.evaluation.matching import Match, matched_threshold
    from xpflow.problems.benchmark import load_benchmark
    from xpflow.protocols.prompter import Prompter
    from xpflow.runtime.models import model_protocol, model_settings, model_source, open_model, set_up
    from xpflow.study.config import load_study
    from xpflow.study.settings import protocol_settings

    study = load_study(config)
    set_up(study)
    model_settings(study, model)
    loaded, tokenizer = open_model(study, checkpoint or model_source(study, model))
    names = [entry.name for entry in study.problems.benchmarks]
    problems = [problem for name in names for problem in load_benchmark(name, "validation", limit)]
    prompter = Prompter(model_protocol(study, model), tokenizer)
    prompts = [prompter.encode(problem) for problem in problems]
    length = study.problems.benchmarks[0].gen_length
    own = protocol_settings(prompter.protocol.name, problems[0].shape, "threshold")
    sizes = {"gen_length": length, "batch_size": study.evaluation.batch_size}
    settings = {**own, **study.evaluation.settings, **sizes}

    def report(tried: Match) -> None:
        print(f"threshold {tried.threshold:.5f}: mean NFE {tried.mean_nfe:.3f}", file=sys.stderr, flush=True)

    found = matched_threshold(loaded, prompts, settings, parse_budget(budget), report=report)
    print(
        f"threshold {found.threshold:.5f}: mean NFE {found.mean_nfe:.3f} of {length}, {len(prompts)} problems"
    )
