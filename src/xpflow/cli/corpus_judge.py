"""`xpflow corpus judge`: what GPT-2 large says of a model's texts, with their entropy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FILE, examples
from xpflow.cli.corpus_job import Study, Texts, begin

EXAMPLES = examples(
    "xpflow corpus judge lm1b samples --config config/lomdm-paper.yaml --run lomdm --out judged.json"
)


def judge(
    texts: Texts,
    folder: Annotated[Path, typer.Argument(metavar="SAMPLES", help="What `xpflow corpus sample` wrote")],
    config: Study,
    run: Annotated[str, typer.Option(help="The run in text.runs whose texts they are")],
    out: Annotated[Path, OUT_FILE, typer.Option(help="File for perplexity, entropy and NFE by steps")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the run")] = 0,
) -> None:
    """Measure the generative perplexity of texts, never without the entropy beside it."""
    from xpflow.artifacts.io import atomic_write_text, json_line
    from xpflow.corpora.judge import judged_files, load_judge
    from xpflow.hub.tables import source_files
    from xpflow.study.corpus import find_corpus_run, sample_files

    study, job, record = begin("corpus-judge", config, lambda study: find_corpus_run(study, texts, run, seed))
    files = [folder / name for name in sample_files(study, job)]
    own = study.text.corpus.judge_directory
    record.read(*files, *(source_files(Path(own)) if own else ()))
    found = judged_files(load_judge(Path(own) if own else None, study.runtime.device), files)
    atomic_write_text(out, json_line(found).decode())
    record.write([out])
    print(f"{out}: " + ", ".join(f"{name} {one['perplexity']:.2f}" for name, one in found.items()))
