"""The folder of a run on a world or on packed rows, read back: its recipe, and its objective's modules."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from xpflow.artifacts.io import json_once, read_text
from xpflow.errors import ArtifactError
from xpflow.models.extra import AGAIN, EXTRA
from xpflow.training.finite import require_finite_tensors
from xpflow.training.student import Student
from xpflow.training.text_run import TextRecipe

CHECKPOINT, RECIPE = "checkpoint", "recipe.json"
OF_FILES = ("coupling", "noise_from")  # settings that name files, which may lie anywhere
NO_RESULT = ("log_every", "save_every")  # fields on which no weight depends
SHOWN = 4  # differences that an error names


def read_recipe(folder: Path, more: Collection[str] = ()) -> tuple[TextRecipe, dict[str, Any]]:
    """Return a run's recipe, and what its file says besides: `world`, and the keys `more`.

    Raises:
        ArtifactError: there is none, or it is that of another kind of run.
    """
    file, besides = folder / RECIPE, {"world", *more}
    try:
        said = json_once(read_text(file))
    except ValueError as error:
        raise ArtifactError(f"{file}: not JSON ({error})", hint="train the run again") from error
    known = {one.name for one in fields(TextRecipe)} | besides
    right = isinstance(said, dict) and besides <= said.keys() <= known and isinstance(said["world"], str)
    if not right or not isinstance(said.get("settings", {}), dict):
        kind = "packed rows" if more else "a world"
        raise ArtifactError(
            f"{file} is no recipe of a run on {kind}",
            hint="`xpflow text train` makes runs on worlds, `xpflow corpus train` those on packed rows",
        )
    recipe = TextRecipe(**{key: value for key, value in said.items() if key not in besides})
    return recipe, {key: said[key] for key in besides}


def require_run(folder: Path, name: str, wanted: TextRecipe, more: Collection[str] = ()) -> None:
    """Raise ArtifactError that names what differs, unless a folder holds the run that is wanted.

    What is made of a run is filed under its name, so another run's numbers would stand there.

    Args:
        name: the world or the texts. wanted: as the study has it; what files give is left out. more: as for
        `read_recipe`.
    """
    found, besides = read_recipe(folder, more)
    theirs, ours = _facts(besides["world"], found), _facts(name, wanted)
    wrong = [key for key in {**ours, **theirs} if theirs.get(key) != ours.get(key)]
    if wrong:
        named = [f"{key} ({theirs.get(key)} there, {ours.get(key)} in the study)" for key in wrong[:SHOWN]]
        raise ArtifactError(
            f"{folder} holds another run: {', '.join(named)}",
            hint="name the folder of this run and seed, or train it again as the study says now",
        )


def _facts(name: str, recipe: TextRecipe) -> dict[str, Any]:
    """Return what tells one run from another, as JSON has it."""
    facts = {key: value for key, value in asdict(recipe).items() if key not in NO_RESULT}
    settings = facts.pop("settings")
    facts |= {f"settings.{key}": value for key, value in settings.items() if key not in OF_FILES}
    found: dict[str, Any] = json.loads(json.dumps({"world": name, **facts}, default=str))
    return found


def load_modules(student: Student, folder: Path) -> None:
    """Put what a run's checkpoint holds of its objective's modules into a student that has such modules.

    Raises:
        ArtifactError: the file is not there, or holds others. TrainingError: a weight is not finite.
    """
    if not len(student.extra):
        return
    file = folder / CHECKPOINT / EXTRA
    try:
        found = load_file(file)
        require_finite_tensors(found, str(file), AGAIN)
        student.extra.load_state_dict(found)
    except (OSError, SafetensorError, RuntimeError) as error:
        said = " ".join(str(error).split())
        raise ArtifactError(f"{file} does not hold the run's modules: {said:.300}", hint=AGAIN) from error
