"""Training state on disk: all that a resumed run needs to give the same bytes as an uninterrupted one.

    FILE                     one process, and adapters (which every process has: the leader writes, all read)
    FILE.shards/update-50    sharded: torch.distributed.checkpoint, every process writes its part

Both forms can be read by any number of processes. With the number that wrote it, a resumed run gives the same
bytes as one that was never interrupted; with another number, the same up to rounding. A folder is written
beside the one before it and renamed when whole: for the time of a save, both need room on the disk.

A state is loaded only under the guard that it was saved under (`training.guard`), and never written with
weights that are not finite.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.checkpoint.state_dict_loader import load as load_parts
from torch.distributed.checkpoint.state_dict_saver import save as save_parts
from torch.distributed.tensor import distribute_tensor

from xpflow.artifacts.io import atomic_write_text, atomic_writer
from xpflow.errors import ArtifactError
from xpflow.runtime.processes import Team
from xpflow.training.average import Average
from xpflow.training.finite import require_finite_tensors, require_finite_weights
from xpflow.training.guard import require_same

ABOUT = "about.json"
DAMAGED = "the state is damaged: remove it to start over"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come: updates done, rows of its log, sums for the next row, seconds spent."""

    update: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class TrainingState:
    """What one process saves and restores; `settings` (JSON) are the guard: all its result depends on.

    average: of the weights, where one is kept.
    """

    settings: Mapping[str, Any]
    module: nn.Module
    optimizers: list[torch.optim.Optimizer]
    average: Average | None = None

    @property
    def averaged(self) -> dict[str, Tensor]:
        """Return the averages by the names of the weights; none where none are kept."""
        return {} if self.average is None else self.average.tensors

    def save(self, path: Path, progress: Progress) -> None:
        """Write weights, optimizers and progress to one file, atomically.

        Raises:
            TrainingError: a weight is not finite; the state before it stays.
        """
        self.require_finite(progress)
        state = {
            "settings": self.guard(),
            "module": self.module.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "progress": json.dumps(asdict(progress)),
            **({"average": self.averaged} if self.averaged else {}),
        }
        with atomic_writer(path) as beside, open(beside, "wb") as file:  # torch does not say why it cannot
            torch.save(state, file)

    def load(self, path: Path) -> Progress:
        """Restore what `save` wrote; without a file nothing was done yet.

        Raises:
            ArtifactError: the file is no state, or that of another training: it names what differs.
        """
        if not path.exists():
            return Progress()
        state = read_state(path)
        self.check(state.get("settings"), path)
        with whole(path):
            for number, saved in enumerate(state["optimizers"]):
                require_finite_state(saved, f"{path}: optimizer {number}")
            self.module.load_state_dict(state["module"])
            for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(saved)
            for name, own in self.averaged.items():
                own.copy_(state["average"][name])
            self.require_finite(found := Progress(**json.loads(state["progress"])))
        return found

    def check(self, found: Any, path: Path) -> None:
        """Raise ArtifactError that says what differs, unless the guard in a file is ours."""
        require_same(found, self.guard(), path)

    def require_finite(self, progress: Progress) -> None:
        """Raise TrainingError if a weight that would be saved is not finite, or an average."""
        require_finite_weights(self.module, f"after update {progress.update}")
        require_finite_tensors(self.averaged, f"averages after update {progress.update}", DAMAGED)

    def guard(self) -> str:
        """Return the settings as they are written into a state."""
        return json.dumps(self.settings, sort_keys=True, default=str)


@dataclass(frozen=True, slots=True)
class RunState:
    """Saves and loads what `TrainingState` does, by all processes of a team together.

    root: the module whose weights are sharded. sharded: whether they are; if not, every process has all of
    what is trained.
    """

    plain: TrainingState
    root: nn.Module
    sharded: bool
    team: Team

    def save(self, path: Path, progress: Progress) -> None:
        """Write the state at an update; one of the other form goes away."""
        if self.sharded:
            self.plain.require_finite(progress)
            self._save_shards(path, progress)
            if self.team.leads:
                path.unlink(missing_ok=True)
        elif self.team.leads:
            self.plain.save(path, progress)
            shutil.rmtree(shards_of(path), ignore_errors=True)

    def load(self, path: Path) -> Progress:
        """Restore the newest state of either form; without one nothing was done yet.

        Raises:
            ArtifactError: it is no state, or that of another training: it names what differs.
        """
        folder = self.team.gather(newest(shards_of(path)))[0]
        if folder is not None:
            found = self._load_shards(folder)
        elif self.sharded and path.exists():
            found = self._spread(path)
        else:
            found = self.plain.load(path)
        self.team.wait()
        return found

    def _save_shards(self, path: Path, progress: Progress) -> None:
        final = shards_of(path) / f"update-{progress.update}"
        beside = final.with_name(f".{final.name}.tmp")
        if self.team.leads:
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir(parents=True)
        self.team.wait()
        save_parts(self._tree(), checkpoint_id=beside, no_dist=self.team.size == 1)
        if self.team.leads:
            about = {"settings": self.plain.guard(), "progress": asdict(progress)}
            atomic_write_text(beside / ABOUT, json.dumps(about))
            shutil.rmtree(final, ignore_errors=True)
            beside.rename(final)
            for other in shards_of(path).iterdir():
                if other != final:
                    shutil.rmtree(other)
        self.team.wait()

    def _load_shards(self, folder: Path) -> Progress:
        with whole(folder):
            about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
            about = {"settings": about["settings"], "progress": Progress(**about["progress"])}
        self.plain.check(about["settings"], folder)
        tree = self._tree()
        with warnings.catch_warnings():  # that one process loads alone is meant
            warnings.filterwarnings("ignore", "torch.distributed is disabled")
            load_parts(tree, checkpoint_id=folder, no_dist=self.team.size == 1)
        set_state_dict(
            self.root,
            self.plain.optimizers,
            model_state_dict=tree["model"],
            optim_state_dict=tree["optimizer"],
        )
        found: Progress = about["progress"]
        return found

    def _tree(self) -> dict[str, Any]:
        model, optimizer = get_state_dict(self.root, self.plain.optimizers)
        averaged = {"average": self.plain.averaged} if self.plain.averaged else {}
        return {"model": model, "optimizer": optimizer, **averaged}

    def _spread(self, path: Path) -> Progress:
        """Give every process its part of the state that one process wrote."""
        state = read_state(path)
        self.plain.check(state.get("settings"), path)
        with whole(path):
            with torch.no_grad():
                for name, own in self.plain.module.state_dict().items():
                    own.copy_(_part(state["module"][name], own))
                for name, own in self.plain.averaged.items():
                    own.copy_(_part(state["average"][name], own))
            for optimizer, saved in zip(self.plain.optimizers, state["optimizers"], strict=True):
                parameters = [p for group in optimizer.param_groups for p in group["params"]]
                for number, entry in saved["state"].items():
                    for key, value in entry.items():
                        if value.shape == parameters[number].shape:
                            entry[key] = _part(value, parameters[number])
                optimizer.load_state_dict(saved)
            return Progress(**json.loads(state["progress"]))


def read_state(path: Path) -> dict[str, Any]:
    """Return the dictionary of a state file (tensors and plain values only); raises ArtifactError."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of pickles, archives and tensors that are none
        raise ArtifactError(
            f"{path} is no training state: {error}", hint=f"remove it to start over: rm {path}"
        ) from error
    if not isinstance(state, dict):
        raise ArtifactError(f"{path} is no training state", hint=f"remove it to start over: rm {path}")
    return state


@contextmanager
def whole(path: Path) -> Iterator[None]:
    """Turn what goes wrong with a state that lacks a part, or has a strange one, into an error."""
    try:
        yield
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{path} is no whole training state: {type(error).__name__}: {error}"[:400],
            hint=f"remove it to start over: rm -r {path}",
        ) from error


def require_finite_state(saved: Mapping[str, Any], what: str) -> None:
    """Raise TrainingError for an optimizer's saved state that holds NaN or infinity."""
    tensors = {
        f"{key} of parameter {number}": value
        for number, entry in saved["state"].items()
        for key, value in entry.items()
        if isinstance(value, Tensor)
    }
    require_finite_tensors(tensors, what, DAMAGED)


def shards_of(path: Path) -> Path:
    """Return the folder of the sharded form of a state."""
    return path.with_name(path.name + ".shards")


def newest(folder: Path) -> Path | None:
    """Return the newest whole state in a folder, if there is one."""
    names = (f for f in folder.glob("update-*") if f.name[7:].isdecimal() and (f / ABOUT).exists())
    found = {int(f.name[7:]): f for f in names}
    return found[max(found)] if found else None


def remove(path: Path) -> None:
    """Remove both forms of a state."""
    path.unlink(missing_ok=True)
    shutil.rmtree(shards_of(path), ignore_errors=True)


def _part(full: Tensor, like: Any) -> Tensor:
    """Return this process's part of a whole tensor, sharded as `like` is."""
    if full.shape != like.shape:
        raise ArtifactError(f"a saved tensor has shape {tuple(full.shape)}, expected {tuple(like.shape)}")
    if not hasattr(like, "placements"):
        return full
    part: Tensor = distribute_tensor(
        full.to(like.device), like.device_mesh, like.placements, src_data_rank=None
    )
    return part
