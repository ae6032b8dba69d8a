"""`xpflow score`: argument parsing and one call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import examples, new_app
from xpflow.cli.inputs import as_listed

app = new_app()


@app.command(
    epilog=examples(
        "xpflow score verdicts.jsonl",
        "xpflow score flow/verdicts.jsonl mask/verdicts.jsonl",
        "xpflow score verdicts.jsonl --benchmark humaneval",
        "xpflow score verdicts.jsonl --samples samples.jsonl --json",
        "xpflow score verdicts.jsonl --samples-per-task 20 --k 1 --k 10",
    )
)
def score(
    verdicts: Annotated[
        list[Path],
        typer.Argument(callback=as_listed, help="Files of `xpflow grade`; the first against the others"),
    ],
    samples: Annotated[
        list[Path] | None,
        typer.Option(
            callback=as_listed, help="The samples of each file, in order, to show the executed NFE; repeat"
        ),
    ] = None,
    benchmark: Annotated[
        str | None, typer.Option(help="The benchmark: problems that a file lacks count as not solved")
    ] = None,
    problems: Annotated[
        Path | None, typer.Option(callback=as_listed, help="Or a file of its problems")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Split of the benchmark; its test split by default")
    ] = None,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999, help="Level of the intervals")] = 0.95,
    resamples: Annotated[
        int, typer.Option(min=100, max=1_000_000, help="Bootstrap draws of a paired difference")
    ] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap")] = 0,
    samples_per_task: Annotated[
        int | None, typer.Option(min=1, help="Verdicts of each problem, where rows have no field `sample`")
    ] = None,
    k: Annotated[
        list[int] | None, typer.Option(min=1, help="k of pass@k; repeat (default: 1, 10, 100)")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text")] = False,
) -> None:
    """Print pass rates with Wilson intervals, and the paired comparison of the first file with every other.

    A file with an infrastructure verdict is refused: such a problem was not graded. With --benchmark or
    --problems rates are over all problems of the benchmark, and those that a file lacks are named. Of several
    samples per problem it prints pass@k (unbiased) with intervals over problems.
    """
    import json

    from xpflow.errors import DataError
    from xpflow.reporting import score as scoring

    if samples and len(samples) != len(verdicts):
        raise DataError(
            f"{len(samples)} samples files for {len(verdicts)} verdict files", hint="one for each"
        )
    asked = _asked(benchmark, problems, split)
    rules = scoring.Rules(confidence, resamples, seed, asked, samples_per_task, tuple(k or ()))
    nfe_files: list[Path | None] = [*samples] if samples else [None] * len(verdicts)
    pairs = zip(verdicts, nfe_files, strict=True)
    scores = [scoring.score_file(path, sample, rules) for path, sample in pairs]
    comparisons = [scoring.compare_files(verdicts[0], other, rules) for other in verdicts[1:]]
    if as_json:
        print(json.dumps(scoring.score_record(scores, comparisons), indent=1))
        return
    lines = scoring.score_lines(scores, confidence)
    for comparison in comparisons:
        lines += ["", *scoring.comparison_lines(comparison, confidence)]
    print("\n".join(lines))


def _asked(benchmark: str | None, file: Path | None, split: str | None) -> list[str] | None:
    """Return the ids of the problems that there are, in their order; None where nobody says."""
    from xpflow.errors import ConfigError
    from xpflow.problems import problems_from_file
    from xpflow.problems.benchmark import load_benchmark

    if benchmark and file:
        raise ConfigError("give either --benchmark NAME or --problems FILE")
    if split and not benchmark:
        raise ConfigError("--split is of a benchmark", hint="name it with --benchmark")
    if file:
        return [problem.task_id for problem in problems_from_file(file)]
    return [problem.task_id for problem in load_benchmark(benchmark, split)] if benchmark else None
