"""`xpflow text couple`: sentences with the noise that a trained model made them from (ReDi)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xpflow.cli.base import OUT_FILE, examples, unused

EXAMPLES = examples(
    "xpflow text couple runs/imdm --count 8192 --out runs/pairs.safetensors",
    "xpflow text couple results/imdm/text/english/noise/seed0 --config config/imdm.yaml --world english "
    "--run noise --count 8192 --steps 1024 --out pairs.safetensors",
)


def couple(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of `xpflow text train`")],
    out: Annotated[Path, OUT_FILE, typer.Option(help="File of couplings, for the setting `coupling`")],
    count: Annotated[int, typer.Option(min=1, help="How many")] = 8192,
    steps: Annotated[int, typer.Option(min=1, help="Steps at most; noise is kept along a path")] = 1024,
    seed: Annotated[int, typer.Option(min=0, help="Seed of noise and words")] = 0,
    config: Annotated[Path | None, typer.Option(help="Study whose block `text` asks for them")] = None,
    world: Annotated[str | None, typer.Option(help="With --config: the run's world")] = None,
    run: Annotated[str | None, typer.Option(help="With --config: the run's name in text.runs")] = None,
) -> None:
    """Make sentences from noise by a trained model, for a student that learns the pairs (ReDi)."""
    from xpflow.errors import ConfigError

    if config is None:
        from xpflow.training.text_folder import couple as make

        unused(context, "it is about a run of a study: --config", "world", "run")
        make(folder, count, steps, seed).save(out)
    elif world is None or run is None:
        raise ConfigError("a study has several text runs", hint="name one: --world WORLD --run NAME")
    else:
        _of_a_study(config, (world, run, seed, count, steps), folder, out)
    print(f"{out}: {count} couplings")


def _of_a_study(config: Path, names: tuple[str, str, int, int, int], folder: Path, out: Path) -> None:
    """Make couplings that a study asks for, and leave a manifest."""
    from dataclasses import asdict

    from xpflow.cli.recording import stage_record
    from xpflow.runtime.models import set_up
    from xpflow.study.config import load_study
    from xpflow.study.text import CouplingJob, TextJob, find_couplings, recipe_of
    from xpflow.training.run_folder import CHECKPOINT, RECIPE, require_run
    from xpflow.training.text_folder import couple
    from xpflow.training.text_run import TextRecipe

    study = load_study(config)
    job = find_couplings(study, CouplingJob(*names))
    made = TextJob(job.world, job.run, job.seed)
    require_run(folder, job.world, TextRecipe(**recipe_of(study, made)))
    set_up(study)
    record = stage_record(study, "text-couple", **asdict(job))
    record.read(folder / CHECKPOINT, folder / RECIPE)
    couple(folder, job.pairs, job.steps, job.seed).save(out)
    record.write([out])
