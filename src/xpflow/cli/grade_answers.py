"""`xpflow grade-answers`: verdicts on a model's own answers, for runs that learn from those that pass."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FILE, examples, new_app

app = new_app()


@app.command(
    epilog=examples("xpflow grade-answers --model llada-micro --data selfdata.jsonl --out verdicts.jsonl")
)
def grade_answers(
    model: Annotated[str, typer.Option(help="The model that answered: one of the study, or a checkpoint")],
    data: Annotated[Path, typer.Option(help="What `xpflow selfdata` wrote")],
    out: Annotated[Path, OUT_FILE, typer.Option(help="JSONL file: {task_id, verdict}")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the study that the answers are of")] = 0,
    config: Annotated[Path, typer.Option(help="Study")] = Path("config/micro.yaml"),
) -> None:
    """Run a model's own answers against the tests of their problems, in the study's jail.

    Only those that are trained on are graded. A failure of the machine is no verdict: it stops the command.
    """
    from collections import Counter

    from xpflow.artifacts.io import read_jsonl, write_jsonl
    from xpflow.cli.progress import progress
    from xpflow.cli.recording import base_files, local_sources, source_facts, stage_record
    from xpflow.models.load import named_tokenizer
    from xpflow.protocols.prompter import Prompter
    from xpflow.runtime.models import model_protocol, model_source
    from xpflow.study.config import load_study
    from xpflow.training.answer_verdicts import answer_verdicts

    study = load_study(config)
    record = stage_record(study, "grade-answers", model=model, seed=seed)
    record.read(data, *base_files(study, model), *local_sources(study))
    prompter = Prompter(model_protocol(study, model), named_tokenizer(model_source(study, model)))
    with progress("grading") as report:
        rows = answer_verdicts(study, prompter, read_jsonl(data), report)
    write_jsonl(out, rows)
    counts = Counter(row["verdict"] for row in rows)
    record.write([out], jail=study.grading.jail, verdicts=dict(sorted(counts.items())), **source_facts(study))
    print(f"{counts['passed']} of {len(rows)} answers passed -> {out}")
