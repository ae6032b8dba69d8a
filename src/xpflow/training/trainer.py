"""The one loop that trains a model: rows and micro-batches, team, schedule, clipping, resuming, log.

Data, objective and optimizers are given to it (by `training.pretrain` and `training.tuning`). Every step is a
function of seed and step number alone (its examples, its noise, its learning rate), so a run that is killed
and resumed ends with the same bytes as one that was not. Every term is a mean over rows of a row's own value,
so a batch may be cut into rows at will (micro-batches, processes) and the loss stays the same. In bfloat16
the trained weights and the optimizer's states stay fp32; the frozen weights below adapters and the reference
are bfloat16.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from xpflow.errors import ConfigError
from xpflow.runtime.machine import Machine, recompute_layers
from xpflow.study.config.training import LoraSettings
from xpflow.training.average import Average
from xpflow.training.corruption import Corrupted
from xpflow.training.examples import Batch, Example
from xpflow.training.finite import (
    TrainingError,
    require_finite,
    require_finite_tensors,
    require_finite_weights,
    take_step,
)
from xpflow.training.objective import Loss
from xpflow.training.state import Progress, RunState, TrainingState
from xpflow.training.student import Student
from xpflow.training.weights import Copies, Shards, Weights, with_adapters

LOWER = "nothing was saved of it: lower the learning rate, or train in float32"
Row = dict[str, Any]
Report = Callable[[Row], None]
Optimizers = Callable[[Student, Loss], list[torch.optim.Optimizer]]
Watch = Callable[[Student, list[Row], int], Row]


@dataclass(frozen=True, slots=True)
class Course:
    """How long a run is and how it goes; `decay_share` of the updates, at the end, lower the rate to zero.

    balance_rate: step of the balancing bias of a mixture's experts after every update; 0: it stays. average:
    decay of a moving average of the weights, which takes their place after the last update
    (`training.average`); 0: none is kept. multiple: batches are padded to lengths that are multiples of it.
    """

    updates: int
    warmup_updates: int = 0
    decay_share: float = 0.0
    grad_clip: float = 1.0
    log_every: int = 10
    save_every: int = 50
    balance_rate: float = 0.0
    average: float = 0.0
    multiple: int = 16

    def rate(self, update: int) -> float:
        """Return the share of the peak learning rate: linear warm-up, constant, linear decay to zero."""
        warm = (update + 1) / max(1, self.warmup_updates)
        decay = (self.updates - update) / max(1.0, self.decay_share * self.updates)
        return min(1.0, warm, decay)


def prepared(
    model: Any,
    loss: Loss,
    machine: Machine,
    seed: int,
    *,
    lora: LoraSettings | None = None,
    base: Any | None = None,
) -> tuple[Student, Weights]:
    """Return a student and how its weights are held: all of them trained, or with `lora` adapters on them.

    Args:
        model: is changed in place, and becomes the trained model. base: what the reference is, where the loss
        needs one and all weights are trained. seed: of adapters and of the objective's own modules.
    """
    model.eval().requires_grad_(lora is None)
    if machine.activation_checkpointing:
        recompute_layers(model)
    extra = _extra_of(loss, model, seed)
    if lora is not None:
        model = with_adapters(model.to(machine.device, machine.dtype), lora, seed)
    student = Student(model, machine, extra, base)
    if lora is None and machine.team.size > 1:
        student.extra.to(machine.device)
        return student, Shards(student, machine)
    if lora is None:
        model.to(machine.device, torch.float32)
    if base is not None:
        base.to(machine.device, machine.dtype)
    student.extra.to(machine.device, torch.float32)
    return student, Copies(student, machine)


def _extra_of(loss: Loss, model: Any, seed: int) -> Mapping[str, nn.Module]:
    """Return the objective's own modules, with weights drawn from a seed; raises ConfigError for a scalar."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        extra = loss.modules(model)
    for name, module in extra.items():
        for key, parameter in module.named_parameters():
            if parameter.ndim == 0:
                raise ConfigError(
                    f"parameter {key!r} of the objective's module {name!r} is a scalar: it cannot be sharded",
                    hint="make it a vector of length 1: torch.zeros(1)",
                )
    return extra


class Trainer:
    """Trains a student by a loss, from its first update or wherever its saved state is.

    Args:
        examples: the examples of an update, by its number. course, optimizers: how. settings: what a saved
        state must agree with (JSON). watch: what a log row says beside the loss, of the student, the rows
        before it and the update. held: how processes hold the student's weights.
    """

    def __init__(
        self,
        student: Student,
        loss: Loss,
        examples: Callable[[int], list[Example]],
        course: Course,
        optimizers: Optimizers,
        *,
        seed: int,
        settings: Mapping[str, Any],
        held: Weights,
        watch: Watch | None = None,
    ) -> None:
        self.student, self.objective, self.examples, self.course = student, loss, examples, course
        self.machine, self.seed, self.held, self.watch = student.machine, seed, held, watch
        self.trained = [p for p in student.parameters() if p.requires_grad]
        require_finite_weights(student, "the model that is trained")
        if student.base is not None:
            require_finite_weights(student.base, "the reference model")
        self.optimizers = optimizers(student, loss)
        self.peaks = [[group["lr"] for group in optimizer.param_groups] for optimizer in self.optimizers]
        peaks = {f"group {i}": peak for i, peak in enumerate(chain.from_iterable(self.peaks))}
        require_finite(peaks, "learning rates", "check the settings, and the objective's own `rates`")
        named = [(name, p) for name, p in student.named_parameters() if p.requires_grad]
        self.average = Average(named, course.average) if course.average else None
        plain = TrainingState({**settings, "seed": seed}, held.saved, self.optimizers, self.average)
        self.state = RunState(plain, student, held.sharded, self.machine.team)
        self.seconds = 0.0  # of `run`, once it is over

    def run(self, report: Report, state: Path | None = None) -> list[Row]:
        """Train to the last update, resuming from `state` if it is there, and return the log's rows.

        A course with an average ends with it in the place of the weights: the last row is measured on it.
        """
        found = self.state.load(state) if state else Progress()
        began = perf_counter() - found.seconds
        update, rows, sums = found.update, list(found.rows), Sums.of(found.sums, self.machine)
        while update < self.course.updates:
            if update % self.course.log_every == 0:
                sums = self._log(update, rows, sums, report)
            sums.add(self.update(update))
            update += 1
            if state and update % self.course.save_every == 0:
                self.state.save(state, Progress(update, rows, sums.whole(), perf_counter() - began))
        if self.average is not None:
            self.average.place()
        self._log(update, rows, sums, report)
        self.seconds = perf_counter() - began
        return rows

    def model(self, dtype: torch.dtype) -> Any:
        """Return the trained model in a precision; None in processes that do not lead."""
        return self.held.model(dtype)

    def update(self, number: int) -> dict[str, Tensor]:
        """Do one update; returns this process's share of the loss and of its terms."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
        pad_id = self.student.model.config.pad_token_id
        clean = Batch.of(self.examples(number), pad_id, self.course.multiple)
        self.objective.begin(number / self.course.updates)
        batch, size = self.objective.corrupt(clean, self.student.model, generator), len(clean.prompt_B)
        self.student.train()
        found: dict[str, Tensor] = {}
        for rows in self.machine.team.rows(size, self.machine.micro_batch):
            part = batch.take(rows.numbers, self.machine.device)
            parts = self.measure(part, torch.tensor(rows.counts, device=self.machine.device), size)
            (self.held.scale * parts["loss"]).backward()  # type: ignore[no-untyped-call]
            for name, value in parts.items():
                found[name] = found.get(name, 0.0) + value.detach()
        require_finite(
            {name: found[name] for name in sorted(found, key=lambda name: name == "loss")},
            f"update {number + 1}, terms of the loss",
            "nothing was saved of it: look at learning rate, precision and the objective's settings",
        )
        self._step(number)
        return found

    def measure(
        self, batch: Corrupted, counts: Tensor | None = None, rows: int | None = None
    ) -> dict[str, Tensor]:
        """Return "loss", a scalar, and the terms that it is the weighted sum of.

        Args:
            counts: bool [B], the rows that count (all). rows: how many rows the mean is over, where the batch
            is a part of a larger one.
        """

        def work(student: Student) -> dict[str, Tensor]:
            terms = self.objective.terms(self.objective.forward(student, batch), batch)
            total, found = torch.zeros((), device=batch.mask_BK.device), {}
            with torch.autocast(total.device.type, enabled=False):
                for name, term in terms.items():
                    mean_B = term.rows(len(batch.mask_BK))
                    mean_B = mean_B if counts is None else mean_B * counts
                    mean = mean_B.sum() / (rows or len(mean_B))
                    total, found[name] = total + term.weight * mean, mean.detach()
            return {"loss": total, **found}

        found: dict[str, Tensor] = self.student(work)
        return found

    def _step(self, number: int) -> None:
        """Let the optimizers use the gradients, at the rates of an update.

        Raises:
            TrainingError: a gradient is not finite, or a weight afterwards.
        """
        norm = self.held.norm(self.trained)
        if not bool(norm.isfinite()):
            self._blame(f"update {number + 1}, gradients")
        nn.utils.clip_grads_with_norm_(self.trained, self.course.grad_clip, norm)
        factor = self.course.rate(number)
        for optimizer, peaks in zip(self.optimizers, self.peaks, strict=True):
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * factor
            take_step(optimizer, f"update {number + 1}", LOWER)
            optimizer.zero_grad(set_to_none=True)
        weights = {name: p.detach() for name, p in self.student.named_parameters() if p.requires_grad}
        require_finite_tensors(weights, f"update {number + 1}, weights after it", LOWER)
        if self.average is not None:
            self.average.update(number)
        load, self.student.router_load = self.student.router_load, None
        if self.course.balance_rate and load is not None:
            self.student.model.update_expert_bias(load, self.course.balance_rate)

    def _blame(self, what: str) -> None:
        """Raise TrainingError for gradients whose norm is not finite, with the names of those to blame."""
        named = self.student.named_parameters()
        require_finite_tensors({name: p.grad for name, p in named if p.grad is not None}, what, LOWER)
        raise TrainingError(f"{what}: their norm is not finite", hint=LOWER)

    def _log(self, update: int, rows: list[Row], sums: Sums, report: Report) -> Sums:
        """Add a row to the log: what is watched, and the means of the losses since the row before it."""
        self.student.eval()
        watched = self.watch(self.student, rows, update) if self.watch else {}
        row = {"update": update, **watched, **sums.means()}
        if len(row) > 1:
            rows.append(row)
            report(row)
        return Sums(self.machine)


class Sums:
    """The loss and its terms, summed over the updates since a row of the log, where they were computed."""

    def __init__(self, machine: Machine, values: Mapping[str, Any] | None = None, count: int = 0) -> None:
        self.machine, self.values, self.count = machine, dict(values or {}), count

    @classmethod
    def of(cls, saved: Mapping[str, float], machine: Machine) -> Sums:
        """Return what `whole` gave to a state: the leader holds it, the others nothing."""
        values = {name: value if machine.team.leads else 0.0 for name, value in saved.items()}
        return cls(machine, {n: v for n, v in values.items() if n != "updates"}, int(saved.get("updates", 0)))

    def add(self, found: Mapping[str, Tensor]) -> None:
        """Add what an update returned."""
        self.count += 1
        for name, value in found.items():
            self.values[name] = self.values.get(name, 0.0) + value.double()

    def whole(self) -> dict[str, float]:
        """Return the sums over all processes, and the number of updates."""
        if not self.count:
            return {}
        parts = self.machine.team.gather({name: float(value) for name, value in self.values.items()})
        sums = {name: sum(part[name] for part in parts) for name in self.values}
        return {**sums, "updates": self.count}

    def means(self) -> Row:
        """Return "loss", and where it has several terms, each as "loss_NAME": means over the updates."""
        sums = self.whole()
        names = [name for name in sums if name != "updates"]
        shown = names if len(names) > 2 else names[:1]
        return {name if name == "loss" else f"loss_{name}": sums[name] / self.count for name in shown}
