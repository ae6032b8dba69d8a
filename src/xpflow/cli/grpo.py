"""`xpflow grpo`: train a step-size policy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FOLDER, examples, new_app

app = new_app()


@app.command(epilog=examples("xpflow grpo --model aligned/ --problems solvable.jsonl --out policy"))
def grpo(
    model: Annotated[str, typer.Option(help="The frozen aligned model: a name or a checkpoint directory")],
    problems: Annotated[Path, typer.Option(help="Problems to train on, as `xpflow solvable` writes them")],
    out: Annotated[Path, OUT_FOLDER, typer.Option(help="Folder for policy.safetensors and log.jsonl")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, prompts and draws")] = 0,
    train_budget: Annotated[
        str | None, typer.Option(help="T / N of the rollouts, as 1/4, in place of grpo.train_budget")
    ] = None,
    config: Annotated[Path, typer.Option(help="Study whose block `grpo` to use")] = Path("config/micro.yaml"),
) -> None:
    """Train a step-size policy with group-relative advantages (Eq. 18); resumes after a kill.

    With runtime.processes above 1 it starts itself that many times, unless torchrun or a cluster already did.
    """
    from xpflow.artifacts.manifest import files_below
    from xpflow.cli.recording import base_files, give, stage_record, taken
    from xpflow.runtime.decoding import warn_unaligned
    from xpflow.runtime.models import model_source
    from xpflow.runtime.processes import keeps_record, run_in_processes
    from xpflow.study.config import load_study
    from xpflow.study.config.base import budget_folder
    from xpflow.study.probes import with_train_budget

    study = with_train_budget(load_study(config), train_budget)

    def work() -> None:
        from xpflow.runtime.models import set_up
        from xpflow.training.policy.stage import train_policy_to_folder

        set_up(study)
        train_policy_to_folder(study, model_source(study, model), problems, seed, out, record.code)

    given = {} if train_budget is None else {"train_budget": budget_folder(study.grpo.train_budget)}
    record = stage_record(study, "grpo", model=study.grpo.model, seed=seed, **given)
    if keeps_record():
        record.read(problems, *base_files(study, model))
        if taken(record, out, "grpo"):
            return
        warn_unaligned(study.grpo.decoder, model_source(study, model))
    options = {"model": model, "problems": problems, "out": out, "seed": seed, "config": config}
    arguments = [part for key, value in options.items() for part in (f"--{key}", str(value))]
    arguments += [] if train_budget is None else ["--train-budget", train_budget]
    run_in_processes(study.runtime.processes, ["grpo", *arguments], work)
    if keeps_record():
        give(record.write(files_below([out]), "grpo"))
