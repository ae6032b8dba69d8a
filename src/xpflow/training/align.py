"""x-prediction alignment: clean inputs learn to predict themselves (Eq. 11-12).

The input is an ordinary hard-masked sequence, never a mixed state. With X_pred = softmax(Z) W_in, the paper's
loss is the mean over response tokens, masked and unmasked, of ||X_pred - X0||^2.
Deviation: the variant with `kl_weight` > 0 adds that weight times KL(base || model), averaged over masked
positions, which keeps the masked predictions where pre-training left them instead of sharpening them. Its
`clean_weight` adds cross-entropy at unmasked positions: where a wrong token is certain, the squared error has
no gradient left.
W_in is a constant of the loss (its gradient would pull the embeddings together); for full-parameter training
the table still learns through the model's input.

Every term is a mean over the rows of a batch of a row's own mean, so a batch may be cut into rows at will
(micro-batches, processes) and the loss stays the same. In bfloat16 the trained weights and the optimizer's
states stay fp32; LoRA's base and the reference of the KL term are bfloat16.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from xpflow.errors import DataError
from xpflow.runtime.machine import Machine, recompute_layers
from xpflow.study.config.base import Block
from xpflow.study.config.training import FullSettings, LoraSettings, TrainingBlock, TrainingRun
from xpflow.training.adapters import Trained, reset_adapters, with_adapters
from xpflow.training.align_state import AlignmentState
from xpflow.training.checkpoint import TrainingState
from xpflow.training.corpus import Example, collate
from xpflow.training.curves import Curves, curves, maskings, missing
from xpflow.training.objectives import Corrupted, corrupt, row_means
from xpflow.training.replicas import Copies, Replicas, Shards, gathered
from xpflow.training.student import Measured

Row = dict[str, Any]
Report = Callable[[Row], None]


class Variant(Block):
    """A loss: the paper's, or the paper's plus terms that keep the masked predictions."""

    name: str
    kl_weight: float = Field(default=0.0, ge=0)
    clean_weight: float = Field(default=0.0, ge=0)

    @classmethod
    def of(cls, run: TrainingRun) -> Variant:
        """Return the loss of a training run."""
        return cls.model_validate({"name": run.name, **run.settings})


@dataclass(frozen=True, slots=True)
class AlignmentData:
    """Self-generated answers to train on, others to watch, and real answers that nothing is trained on."""

    train: list[Example]
    probe: list[Example]
    heldout: list[Example]

    @classmethod
    def from_rows(cls, rows: list[Row]) -> AlignmentData:
        """Sort the rows of a self-alignment file by their kind; raises DataError without any to train on."""
        groups: dict[str, list[Example]] = {"train": [], "probe": [], "heldout": []}
        for row in rows:
            groups[row["kind"]].append(Example(tuple(row["prompt_ids"]), tuple(row["response"])))
        if not groups["train"]:
            raise DataError(
                "the self-alignment data has no row of kind 'train'", hint="make it again: xpflow selfdata"
            )
        return cls(groups["train"], groups["probe"] or groups["train"][:8], groups["heldout"])

    def sha256(self) -> str:
        """Return a hash of all examples."""
        return hashlib.sha256(repr((self.train, self.probe, self.heldout)).encode()).hexdigest()


class Aligner:
    """Aligns one model; `run` trains to the last update.

    `model` is the base. `student`, where it is given, is what becomes the aligned model: a second copy of the
    base, or the base itself where no term of the loss needs that (LoRA switches its adapters off instead);
    without it a copy is made.
    """

    def __init__(
        self,
        model: Any,
        data: AlignmentData,
        block: TrainingBlock,
        variant: Variant,
        full: bool,
        *,
        student: Any | None = None,
        machine: Machine | None = None,
    ) -> None:
        self.machine = machine or Machine()
        self.data, self.block, self.variant = data, block, variant
        self.settings: FullSettings | LoraSettings = block.full if full else block.lora
        self.config, self.length, self.stored = model.config, len(data.train[0].response), model.dtype
        base = model.eval().requires_grad_(False)
        student = copy.deepcopy(base) if student is None else student
        self.student = self._trainable(student)
        self.base = base if full and variant.kl_weight > 0 else None
        self.measured = Measured(self.student, self.base, self.machine)
        self.replicas: Replicas = self._replicas()
        self.trained = [p for p in self.measured.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.trained, lr=self.settings.learning_rate, betas=(0.9, 0.95), weight_decay=block.weight_decay
        )

    def run(
        self, seed: int, report: Report, state: Path | None = None, save_every: int | None = None
    ) -> tuple[Any, list[Row]]:
        """Train `updates` steps; returns the merged model (None in processes that do not lead) and the log.

        Data order, masks and rows are functions of seed and step alone, so it resumes from its `state`.
        """
        if isinstance(self.settings, LoraSettings):
            reset_adapters(self.student, seed)
        save_every = save_every or self.machine.checkpoint_every
        kept = self._state(seed)
        step, rows = kept.load(state) if state else (0, [])
        while step < self.settings.updates:
            if step % self.block.log_every == 0:
                rows.append(self._watch(step, seed, rows))
                report(rows[-1])
            self._update(step, seed)
            step += 1
            if state and step % save_every == 0:
                kept.save(state, step, rows)
        rows.append(self._watch(step, seed, rows))
        report(rows[-1])
        return self._result(), rows

    def loss(self, batch: Corrupted, counts: Tensor | None = None, rows: int | None = None) -> Tensor:
        """Return the variant's loss on a batch (scalar).

        Args:
            counts: bool [B], the rows that count (all). rows: how many rows the mean is over, where the batch
            is a part of a larger one.
        """
        weights = {"error": 1.0, "kl": self.variant.kl_weight, "ce": self.variant.clean_weight}
        masks = {
            "error": batch.response_BK,
            "kl": batch.mask_BK,
            "ce": batch.response_BK & ~batch.mask_BK,
        }
        terms = self.measured(batch, [name for name, weight in weights.items() if weight > 0])
        total = torch.zeros((), device=batch.mask_BK.device)
        for name, term_BK in terms.items():
            mean_B = row_means(term_BK, masks[name])
            mean_B = mean_B if counts is None else mean_B * counts
            total = total + weights[name] * (mean_B.sum() / (rows or len(mean_B)))
        return total

    def _trainable(self, student: Any) -> Any:
        """Return the student with what is trained in fp32 and open to gradients."""
        student.eval().requires_grad_(True)
        if self.machine.activation_checkpointing:
            recompute_layers(student)
        if isinstance(self.settings, LoraSettings):
            return with_adapters(student.to(self.machine.device, self.machine.dtype), self.settings)
        return student

    def _replicas(self) -> Replicas:
        """Shard what is trained in full by several processes, else move it whole to the device."""
        machine = self.machine
        if isinstance(self.settings, FullSettings) and machine.team.size > 1:
            return Shards(self.measured, self.base, machine)
        if isinstance(self.settings, FullSettings):
            self.student.to(machine.device, torch.float32)
        if self.base is not None:
            self.base.to(machine.device, machine.dtype)
        return Copies(machine)

    def _result(self) -> Any:
        """Return the aligned model in the precision that the base came in."""
        if isinstance(self.settings, LoraSettings):
            merged = self.student.merge_and_unload() if self.machine.team.leads else None
        elif isinstance(self.replicas, Shards):
            state = gathered(self.student, self.machine, self.stored)
            merged = None if state is None else _model_of(self.student, state)
        else:
            merged = self.student
        return None if merged is None else merged.to(self.stored).eval().requires_grad_(False)

    def _state(self, seed: int) -> AlignmentState:
        """Return what saves this run; a saved state must agree with its settings, seed and data."""
        full = isinstance(self.settings, FullSettings)
        guard = {
            "block": self.block.model_dump(),
            "variant": self.variant.model_dump(),
            "full": full,
            "seed": seed,
            "data_sha256": self.data.sha256(),
        }
        kept = TrainingState(guard, self.student if full else Trained(self.student), [self.optimizer])
        return AlignmentState(kept, self.measured, isinstance(self.replicas, Shards), self.machine.team)

    def _update(self, step: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
        size = min(self.settings.batch_size, len(self.data.train))
        chosen = [self.data.train[i] for i in epoch_order(len(self.data.train), seed, step, size)]
        canvas, prompts = collate(chosen, self.config.pad_token_id)
        batch = corrupt(self.config, canvas, prompts, self.length, generator)
        self.student.train()
        for rows in self.machine.team.rows(size, self.machine.micro_batch):
            part = batch.take(rows.numbers, self.machine.device)
            counts = torch.tensor(rows.counts, device=self.machine.device)
            loss = self.replicas.scale * self.loss(part, counts, size)
            loss.backward()  # type: ignore[no-untyped-call]
        self.replicas.finish(self.trained, self.block.grad_clip)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * rate_factor(step, self.settings.updates, self.block)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def _watch(self, step: int, seed: int, rows: list[Row]) -> Row:
        """Measure the curves; the base's is the student's own before its first update."""
        self.student.eval()
        own, real = self._curves(self.data.probe), self._curves(self.data.heldout)
        return {
            "update": step,
            "seed": seed,
            "variant": self.variant.name,
            "mse_unmasked": own["mse_unmasked"],
            "mse_masked": own["mse_masked"],
            "ce_masked": own["ce_masked"],
            "ce_masked_base": rows[0]["ce_masked_base"] if rows else own["ce_masked"],
            "acc_unmasked": own["acc_unmasked"],
            "acc_unmasked_heldout": real["acc_unmasked"],
            "ce_heldout": real["ce_masked"],
        }

    def _curves(self, examples: list[Example]) -> Curves:
        if not examples:
            return missing()
        return curves(self.measured, maskings(self.config, examples, self.length), self.machine)


def rate_factor(step: int, updates: int, block: TrainingBlock) -> float:
    """Return the share of the peak rate: linear warm-up, constant, linear decay in the last `decay_share`."""
    warm = (step + 1) / max(1, block.warmup_updates)
    decay = (updates - step) / max(1.0, block.decay_share * updates)
    return min(1.0, warm, decay)


def epoch_order(count: int, seed: int, step: int, size: int) -> list[int]:
    """Return the example numbers of a step: every epoch is a new permutation, cut into batches of `size`."""
    per_epoch = max(1, count // size)
    generator = torch.Generator().manual_seed(seed * 7_919 + step // per_epoch)
    order = torch.randperm(count, generator=generator).tolist()
    start = (step % per_epoch) * size
    return [int(i) for i in order[start : start + size]]


def _model_of(student: Any, state: dict[str, Tensor]) -> Any:
    """Return a plain model of the student's configuration with the weights of `state`."""
    with torch.device("meta"):
        model = type(student)(student.config)
    model.load_state_dict(state, assign=True)
    return model
