"""`xpflow text train`: a model of a MicroText world from nothing, by options or as a run of a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xpflow.cli.base import OUT_FOLDER, examples, unused

if TYPE_CHECKING:
    from xpflow.training.text_scores import TextScores

EXAMPLES = examples(
    "xpflow text train orders --objective order_expressive --set schedule=learned --out runs/lomdm",
    "xpflow text train agreement-2-3 --objective infinite_mask --set noise=table --updates 300 --out b",
    "xpflow text train orders --config config/lomdm.yaml --run lomdm --seed 1 --out runs/lomdm",
)
BY_THE_STUDY = ("objective", "settings", "updates", "batch_size", "learning_rate", "decay_share", "begin")


def train(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="WORLD", help="Name of a world (`xpflow text list`)")],
    out: Annotated[Path, OUT_FOLDER, typer.Option(help="Folder for checkpoint, log.jsonl and scores.json")],
    objective: Annotated[str, typer.Option(help="Name of an objective (`xpflow objectives`)")] = "masked",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the objective; repeat"),
    ] = None,
    updates: Annotated[int, typer.Option(min=1, help="Optimizer steps")] = 1200,
    batch_size: Annotated[int, typer.Option(min=1, help="Sentences per step")] = 64,
    learning_rate: Annotated[float, typer.Option(min=1e-8, help="Peak learning rate of AdamW")] = 2e-3,
    decay_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the steps, at the end, that lower the rate to zero")
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, sentences and masks")] = 0,
    start: Annotated[
        Path | None, typer.Option("--from", help="Folder of the run whose weights this one starts from")
    ] = None,
    begin: Annotated[
        bool, typer.Option("--begin", help="Put the begin-of-text token in front: `xpflow decode` needs it")
    ] = False,
    config: Annotated[Path | None, typer.Option(help="Study whose block `text` says the rest")] = None,
    run: Annotated[str | None, typer.Option(help="With --config: a name in text.runs")] = None,
    couplings: Annotated[
        Path | None, typer.Option(help="With --config: what `xpflow text couple` made for the run")
    ] = None,
) -> None:
    """Train a small model from nothing and measure it by the oracle; resumes after a kill.

    Bounds are in nats a sentence: the floor is the language's own, `excess` what the model lies above it.
    With --config and --run the study says objective, sizes, and what is measured.
    """
    from xpflow.errors import ConfigError

    if config is not None:
        unused(context, "the study says it", *BY_THE_STUDY)
        if run is None:
            raise ConfigError("a study has several text runs", hint="name one: --run NAME")
        found = _of_a_study(config, (name, run, seed), out, start, couplings)
    else:
        unused(context, "it is about a run of a study: --config", "run", "couplings")
        chosen = {
            "objective": objective,
            "updates": updates,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "decay_share": decay_share,
            "seed": seed,
            "begin": begin,
        }
        found = _alone(name, chosen, settings or [], out, start)
    excess = found.bound.excess
    print(f"{out}: floor {found.bound.floor:.4f}, excess {excess.value:.4f} ± {excess.standard_error:.4f}")


def _alone(
    world: str, fields: Mapping[str, Any], pairs: list[str], out: Path, start: Path | None
) -> TextScores:
    from xpflow.artifacts.code import code_fingerprint
    from xpflow.cli.decode_choice import pairs_of
    from xpflow.microtext import ARCHITECTURE, WORLDS
    from xpflow.training.text_folder import train_text
    from xpflow.training.text_run import TextRecipe

    settings = pairs_of(pairs)
    plugins = [f"objective:{fields['objective']}", f"world:{world}", f"architecture:{ARCHITECTURE}"]
    plugins += [f"schedule:{one}" for one in {"constant", str(settings.get("schedule", "constant"))}]
    recipe = TextRecipe(**fields, settings=settings)
    return train_text(WORLDS[world], recipe, out, code_fingerprint("text-train", plugins), start)


def _of_a_study(
    config: Path, names: tuple[str, str, int], out: Path, start: Path | None, couplings: Path | None
) -> TextScores:
    """Train a run of a study, and leave manifests of what it read and made."""
    from xpflow.artifacts.manifest import files_below
    from xpflow.cli.recording import stage_record
    from xpflow.cli.text_files import settings_of_files
    from xpflow.microtext import WORLDS
    from xpflow.runtime.models import set_up
    from xpflow.study.config import load_study
    from xpflow.study.layout import TEXT_FILES
    from xpflow.study.text import find_text, measured_of, recipe_of, start_of
    from xpflow.training.run_folder import CHECKPOINT, require_run
    from xpflow.training.text_folder import train_text
    from xpflow.training.text_run import TextRecipe
    from xpflow.training.text_scores import Measuring

    study = load_study(config)
    job = find_text(study, *names)
    files = settings_of_files(study, job, start, couplings)
    before = start_of(study, job)
    if before is not None and start is not None:
        require_run(start, before.world, TextRecipe(**recipe_of(study, before)))
    set_up(study)
    record = stage_record(study, "text-train", world=job.world, run=job.run, seed=job.seed)
    record.read(*([start / CHECKPOINT] if start else []), *([couplings] if couplings else []))
    recipe = TextRecipe(**recipe_of(study, job))
    recipe = replace(recipe, settings={**recipe.settings, **files})
    found = train_text(WORLDS[job.world], recipe, out, record.code, start, Measuring(**measured_of(study)))
    record.write([out / name for name in TEXT_FILES], "train")
    record.write(files_below([out / CHECKPOINT]), "train")
    return found
