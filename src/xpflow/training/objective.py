"""What an objective is: what it does to a batch, what the model is asked, and what of that is a loss.

A plug-in file defines settings, a subclass of `Loss` and one value, its entry:

    class Unmasking(Loss):
        def forward(self, student, batch):
            return student.predict(batch)

        def terms(self, outputs, batch):
            found = outputs.terms(batch.target_BK, ["ce"])
            return {"ce": Term(found["ce"], batch.mask_BK)}

    OBJECTIVE = Objective(settings=Settings, make=lambda settings: Unmasking(), about="cross-entropy")

The trainer does the rest: micro-batches, processes, adapters or shards, optimizers, resuming, log.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from pydantic import BaseModel, ValidationError
from torch import Tensor, nn

from xpflow.errors import ConfigError, nearest
from xpflow.training.corruption import Corrupted, masked
from xpflow.training.examples import Batch
from xpflow.training.finite import not_finite
from xpflow.training.objectives import OBJECTIVES

if TYPE_CHECKING:
    from xpflow.training.student import Student


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a loss: values [B, K], averaged per row over a mask; or [B]; or one for the whole batch.

    A row's loss must not depend on the other rows of its batch: batches are cut into micro-batches and shared
    out to processes, and the loss is the mean over all rows.
    """

    values: Tensor
    over_BK: Tensor | None = None
    weight: float = 1.0

    def rows(self, count: int) -> Tensor:
        """Return the value of each of `count` rows, [B]."""
        if self.values.ndim < 2:
            return self.values.expand(count)
        over_BK = torch.ones_like(self.values) if self.over_BK is None else self.over_BK
        return row_means(self.values, over_BK)


class Loss(ABC):
    """An objective at work on one model. Only `forward` and `terms` must be written.

    needs_reference: whether `student.reference` is asked for, the model as it was before the run.
    needs_steps: whether the data must say when the teacher decided its tokens (`selfdata.steps`).
    everywhere: whether what stands, or is between mask and token, has a loss as masks do, which decoders that
        move embeddings need. Weights note it (models/aligned.py).
    rates: peak learning rates of modules of its own, where they differ from the run's.
    """

    needs_reference: bool = False
    needs_steps: bool = False
    everywhere: bool = False
    rates: Mapping[str, float] = {}

    def modules(self, model: Any) -> Mapping[str, nn.Module]:
        """Return modules that are trained, saved and resumed with the model: an order head, three scalars.

        They are `student.extra[name]` afterwards. The global random state is seeded while they are made.
        A learned number is a vector of length 1: no processes can share a scalar.
        """
        return {}

    def begin(self, progress: float) -> None:  # noqa: B027 (most objectives have no curriculum)
        """Hear before every update what share of the run lies behind it, in [0, 1): for a curriculum."""

    def corrupt(self, batch: Batch, model: Any, generator: torch.Generator) -> Corrupted:
        """Return a corrupted batch, on the CPU; by default response tokens are hard-masked.

        Everything random is drawn here, from `generator`, so that a resumed run draws the same. What needs
        weights (embeddings that are mixed, an order that is learned) belongs into `forward`, which has the
        draws (`Corrupted.draws`): only there are the weights of a sharded model together. `model` gives the
        configuration.
        """
        return masked(batch, model, generator)

    @abstractmethod
    def forward(self, student: Student, batch: Corrupted) -> Any:
        """Ask the student, once or more often, and return whatever `terms` needs."""

    @abstractmethod
    def terms(self, outputs: Any, batch: Corrupted) -> Mapping[str, Term]:
        """Return the terms whose weighted sum is the loss."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What an update asks of the model, for `xpflow plan`; by default one forward with its backward.

    trained, free: forwards with and without a backward. reference: the model as it was is held beside the
    trained one. logit_bytes: bytes of a logit beside those of one loss (20: the logit, fp32, softmax, and the
    gradients of these). tables: embedding tables that are trained beside the model, each read as a mean under
    shares of the whole vocabulary (a converter).
    """

    trained: int = 1
    free: int = 0
    reference: bool = False
    logit_bytes: int = 0
    tables: int = 0


@dataclass(frozen=True, slots=True)
class Objective:
    """What a plug-in file says of its objective: settings model, maker, one line of help, examples, cost.

    only_with: settings that others can leave without effect, with what they need in words and as a test of
    all settings.
    """

    settings: type[BaseModel]
    make: Callable[[Any], Loss]
    about: str
    examples: tuple[Mapping[str, Any], ...] = ({},)
    cost: Callable[[Any], Cost] = lambda settings: Cost()
    only_with: Mapping[str, tuple[str, Callable[[Any], bool]]] = field(default_factory=dict)

    def checked(self, values: Mapping[str, Any] | None = None, name: str = "") -> Any:
        """Return its settings from plain values; `name` is how a message calls it.

        Raises:
            ConfigError: it does not have or accept a setting, one is not finite, or does nothing.
        """
        where, known = f"objective {name!r}" if name else "objective", list(self.settings.model_fields)
        try:
            found = self.settings.model_validate(dict(values or {}))
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"]) or "settings"
            hint = "see `xpflow objectives`" if key in known else nearest(key, known)
            raise ConfigError(f"{where}, {key}: {first['msg']}", hint=hint) from None
        if wrong := not_finite(found.model_dump()):
            raise ConfigError(f"{where}, {wrong[0]}: not a finite number", hint="give a number")
        for key, value in dict(values or {}).items():
            words, used = self.only_with.get(key, ("", bool))
            if words and not used(found) and value != self.settings.model_fields[key].default:
                raise ConfigError(
                    f"{where}, {key}: it does nothing here, it needs {words}", hint="leave it out"
                )
        return found


def make_loss(name: str, values: Mapping[str, Any] | None = None) -> Loss:
    """Return an objective at work, from its name and its settings.

    Raises:
        ConfigError: no such objective, or settings that it does not have or accept.
    """
    entry = OBJECTIVES[name]
    return entry.make(entry.checked(values, name))


def row_means(values_BK: Tensor, mask_BK: Tensor) -> Tensor:
    """Return each row's mean over a mask, `[B]` (0 without any)."""
    return (values_BK * mask_BK).sum(-1) / mask_BK.sum(-1).clamp(min=1)


def row_mean(values_BK: Tensor, mask_BK: Tensor) -> Tensor:
    """Return the mean over rows of each row's mean over a mask (rows without any count as 0)."""
    return row_means(values_BK, mask_BK).mean()
