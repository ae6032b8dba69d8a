"""The stages of block `text.corpus` that need torch, as a study asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from xpflow.artifacts.io import atomic_write_text, json_line, write_jsonl
from xpflow.corpora.store import Rows, read_rows
from xpflow.corpora.tokenizers import text_tokenizer
from xpflow.errors import DataError
from xpflow.runtime.machine import Machine
from xpflow.runtime.processes import joined
from xpflow.study.config.corpus import TRAIN
from xpflow.study.config.root import StudyConfig
from xpflow.study.corpus import RowsJob, corpus_recipe, corpus_text, rows_facts, sample_files
from xpflow.study.text import TextJob, start_of
from xpflow.training.corpus_folder import Network, sampled_rows, train_rows
from xpflow.training.corpus_measure import measured, orders_on
from xpflow.training.row_model import OF_ROWS, TrainedRows, load_rows_model
from xpflow.training.run_folder import require_run
from xpflow.training.text_run import TextRecipe, forwards_of


def train_run(
    study: StudyConfig,
    job: TextJob,
    rows: Path,
    out: Path,
    code: str = "",
    start: Path | None = None,
    files: Mapping[str, str] | None = None,
) -> None:
    """Train a run of a study on packed rows; called by every process of a job.

    Args:
        start: folder of the run that it starts from. files: settings of the objective that files give.
    """
    text, recipe = corpus_text(study, job.world), TextRecipe(**corpus_recipe(study, job))
    recipe = replace(recipe, settings={**recipe.settings, **(files or {})})
    before = start_of(study, job)
    if before is not None and start is not None:
        require_run(start, before.world, TextRecipe(**corpus_recipe(study, before)), OF_ROWS)
    folder = text.tokenizer_directory
    tokenizer = text_tokenizer(text.tokenizer, Path(folder) if folder else None)
    network = Network(text.architecture, text.sizes)
    with joined(study.runtime.device) as (team, device):
        machine = Machine.of(study.runtime, team, device)
        train_rows(
            job.world, _rows(study, job, TRAIN, rows), recipe, network, tokenizer, out, machine, code, start
        )


def _rows(study: StudyConfig, job: TextJob, name: str, folder: Path) -> Rows:
    """Open packed rows; raises DataError where they are not those that the study packs under that name."""
    found = read_rows(folder)
    for key, value in rows_facts(study, RowsJob(job.world, name)).items():
        if found.about.get(key) != value:
            raise DataError(
                f"{folder} holds other rows than {name} of {job.world}: {key} is {found.about.get(key)!r}"
                f" there, {value!r} in the study",
                hint=f"`xpflow corpus pack {job.world} {name}` makes them",
            )
    return found


def model_of(study: StudyConfig, job: TextJob, folder: Path) -> TrainedRows:
    """Return the model of a run's folder on the study's device; ArtifactError where it is another run's."""
    require_run(folder, job.world, TextRecipe(**corpus_recipe(study, job)), OF_ROWS)
    return load_rows_model(folder, Machine.of(study.runtime), study.text.corpus.batch_size)


def measure_run(study: StudyConfig, job: TextJob, folder: Path, rows: Path, out: Path) -> dict[str, float]:
    """Write what a model has as bounds on all rows that are measured; returns its perplexities by name."""
    trained, parts = model_of(study, job, folder), corpus_text(study, job.world).measured
    places = {part.name: (_rows(study, job, part.name, rows / part.name), part.limit) for part in parts}
    found = measured(trained, places, study.text.corpus.draws)
    orders = orders_on(trained, places[parts[0].name][0])
    each = forwards_of(trained.recipe)
    about: dict[str, Any] = {
        "world": job.world,
        "run": job.run,
        "seed": job.seed,
        "length": trained.length,
        "parameters": sum(weight.numel() for weight in trained.model.student.parameters()),
        "forwards": {"update": each, "run": each * trained.recipe.updates},
        "bounds": {name: {kind: asdict(one) for kind, one in kinds.items()} for name, kinds in found.items()},
        **({"orders": asdict(orders)} if orders else {}),
    }
    atomic_write_text(out, json_line(about).decode())
    return {name: kinds["own"].value for name, kinds in found.items()}


def sample_run(study: StudyConfig, job: TextJob, folder: Path, out: Path) -> list[Path]:
    """Write a model's texts, a file for each number of steps; returns the files."""
    trained, count = model_of(study, job, folder), corpus_text(study, job.world).samples
    made = []
    for name in sample_files(study, job):
        kind, _, steps = name.removesuffix(".jsonl").partition("-")
        found = sampled_rows(trained, count, int(steps), job.seed, off=kind == "off")
        write_jsonl(out / name, found)
        made.append(out / name)
    return made
