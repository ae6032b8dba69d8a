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
        "xpflow score verdicts.jsonl --samples samples.jsonl --json",
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
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999, help="Level of the intervals")] = 0.95,
    resamples: Annotated[int, typer.Option(min=100, help="Bootstrap draws of a paired difference")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text")] = False,
) -> None:
    """Print pass rates with Wilson intervals, and the paired comparison of the first file with every other.

    A file with an infrastructure verdict is refused: such a problem was not graded.
    """
    import json

    from xpflow.errors import DataError
    from xpflow.reporting import score as scoring

    if samples and len(samples) != len(verdicts):
        raise DataError(
            f"{len(samples)} samples files for {len(verdicts)} verdict files", hint="one for each"
        )
    nfe_files: list[Path | None] = [*samples] if samples else [None] * len(verdicts)
    pairs = zip(verdicts, nfe_files, strict=True)
    scores = [scoring.score_file(path, sample, confidence) for path, sample in pairs]
    comparisons = [
        scoring.compare_files(verdicts[0], other, resamples=resamples, seed=seed, confidence=confidence)
        for other in verdicts[1:]
    ]
    if as_json:
        print(json.dumps(scoring.score_record(scores, comparisons), indent=1))
        return
    lines = scoring.score_lines(scores, confidence)
    for comparison in comparisons:
        lines += ["", *scoring.comparison_lines(comparison, confidence)]
    print("\n".join(lines))
