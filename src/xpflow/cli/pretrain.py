"""`xpflow pretrain`: train a micro model from random weights, resumable by step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FOLDER, examples, new_app

app = new_app()


@app.command(
    epilog=examples(
        "xpflow pretrain --model llada-micro --out results/micro/pretrain/llada-micro",
        "xpflow pretrain --config config/pretrain-l.yaml --model llada-micro-l --out results/pretrain/l",
    )
)
def pretrain(
    model: Annotated[
        str,
        typer.Option(help="llada-micro, llada2-micro; llada-micro-l and -s by config/pretrain-l.yaml and -s"),
    ],
    out: Annotated[Path, OUT_FOLDER, typer.Option(help="Folder for checkpoint, log and training state")],
    config: Annotated[Path, typer.Option(help="Study whose block `pretrain` to use")] = Path(
        "config/micro.yaml"
    ),
) -> None:
    """Pre-train a micro model on a generated world (hours of one core); resumes from its last saved state."""
    from xpflow.artifacts.manifest import files_below
    from xpflow.artifacts.record import Record
    from xpflow.study.config import load_study
    from xpflow.study.stages import config_facts, stage_plugins
    from xpflow.training.pretrain import pretrain_to_folder

    study, stage = load_study(config), {"command": "pretrain", "model": model}
    plugins = stage_plugins(study, stage)
    record = Record("pretrain", {"model": model}, config_facts(study, stage), plugins)
    pretrain_to_folder(model, out, study, record.code)
    training = [path for path in (out / "log.jsonl", out / "state.pt") if path.exists()]
    for files in (training, files_below([out / "checkpoint"])):
        record.write(files, "pretrain", seed=study.pretrain.seed)
