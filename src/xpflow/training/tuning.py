"""A run of the study's block `training`: a model, its own answers, an objective; full or low-rank weights.

The curves of its log (Figures 2a and 2b, and what they do not show) are measured on hard masks that every
row, run and objective shares, so that runs can be compared.
"""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from xpflow.artifacts.io import read_jsonl, write_jsonl
from xpflow.errors import ConfigError
from xpflow.models.aligned import alignment
from xpflow.models.checkpoint import save_checkpoint
from xpflow.models.extra import save_extra
from xpflow.models.load import load_model
from xpflow.models.registry import model_folder
from xpflow.runtime.machine import Machine
from xpflow.runtime.models import model_source
from xpflow.runtime.processes import joined
from xpflow.study.config.root import StudyConfig
from xpflow.study.config.training import TrainingBlock, TrainingRun
from xpflow.training.corruption import Corrupted, masked
from xpflow.training.examples import Batch, Example, OwnAnswers, epoch_order
from xpflow.training.finite import require_finite
from xpflow.training.guard import model_facts, tokenizer_sha256
from xpflow.training.kept_answers import keep_passed
from xpflow.training.objective import Loss, make_loss, row_mean
from xpflow.training.objectives import OBJECTIVES
from xpflow.training.optimizers import muon_and_adamw
from xpflow.training.spent import note_spent, spent
from xpflow.training.state import remove
from xpflow.training.student import Student
from xpflow.training.trainer import Course, Row, Trainer, prepared

SHARD_BYTES = 5_000_000_000  # largest file of a checkpoint that does not fit into one
REPEATS = 4  # fixed maskings of the curves
Curves = dict[str, float]


def tuner(
    model: Any,
    data: OwnAnswers,
    block: TrainingBlock,
    run: TrainingRun,
    full: bool,
    seed: int,
    *,
    student: Any | None = None,
    machine: Machine | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Trainer:
    """Return the trainer of a run.

    Args:
        model: what the run starts from; it is left as it is. student: what is trained: a second copy of it,
        or `model` itself where nothing needs that untouched. Without it a copy is made. facts: what else the
        result depends on (tokenizer, code): a saved state must agree with it.
    """
    machine, loss = machine or Machine(), make_loss(run.objective, run.settings)
    settings, matrix_rate = block.of(run, full=full), block.full.matrix_rate if full else None
    if matrix_rate and machine.team.size > 1:
        raise ConfigError(
            "training.full.matrix_rate: Muon needs whole matrices, and several processes share them out",
            hint="set it to null, or runtime.processes to 1",
        )
    guard = _guard(model, data, block, run, full, machine, facts or {})
    base = model.eval().requires_grad_(False)
    student = copy.deepcopy(base) if student is None else student
    reference = base if full and loss.needs_reference else None
    lora = None if full else block.lora
    module, held = prepared(student, loss, machine, seed, lora=lora, base=reference)
    size = min(settings.batch_size, len(data.train))

    def examples(update: int) -> list[Example]:
        return [data.train[i] for i in epoch_order(len(data.train), seed, update, size)]

    def optimizers(student: Student, loss: Loss) -> list[torch.optim.Optimizer]:
        betas, decay = (0.9, 0.95), block.weight_decay
        if matrix_rate:
            rates = matrix_rate, settings.learning_rate
            return muon_and_adamw(student, loss, *rates, weight_decay=decay, betas=betas)
        groups = parameter_groups(student, loss, settings.learning_rate)
        return [torch.optim.AdamW(groups, betas=betas, weight_decay=decay)]

    course = Course(
        settings.updates,
        block.warmup_updates,
        block.decay_share,
        block.grad_clip,
        block.log_every,
        machine.checkpoint_every,
    )
    watch = Watching(data, {"seed": seed, "run": run.name})
    return Trainer(
        module, loss, examples, course, optimizers, seed=seed, settings=guard, held=held, watch=watch
    )


def _guard(
    model: Any,
    data: OwnAnswers,
    block: TrainingBlock,
    run: TrainingRun,
    full: bool,
    machine: Machine,
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """Return all that a run's result depends on, but its seed; the leader looks at the weights."""
    entry, how = OBJECTIVES[run.objective], "full" if full else "lora"
    start = machine.team.gather(model_facts(model) if machine.team.leads else None)[0]
    return {
        **facts,
        "model": {**start, "from": run.start},
        "data": data.sha256(),
        "run": run.name,
        "objective": {"name": run.objective, "settings": entry.checked(run.settings).model_dump()},
        "training": {
            **block.model_dump(exclude={"runs", "full", "lora"}),
            how: block.of(run, full=full).model_dump(),
        },
        "precision": str(machine.dtype),
    }


def parameter_groups(student: Student, loss: Loss, rate: float) -> list[dict[str, Any]]:
    """Return what is trained, with peak learning rates: the model, then each module of the objective."""
    modules = {"": student.model, **student.extra}
    groups = [
        {"params": [p for p in module.parameters() if p.requires_grad], "lr": loss.rates.get(name, rate)}
        for name, module in modules.items()
    ]
    return [group for group in groups if group["params"]]


class Watching:
    """What a row of the log says beside the loss: curves on own answers, and on real ones held out."""

    def __init__(self, data: OwnAnswers, names: Mapping[str, Any]) -> None:
        self.data, self.names = data, dict(names)

    def __call__(self, student: Student, rows: list[Row], update: int) -> Row:
        """Measure the curves; the base's is the student's own before its first update."""
        own, real = (curves(student, examples) for examples in (self.data.probe, self.data.heldout))
        for found in (own, real if self.data.heldout else {}):
            require_finite(found, "curves of the log", "look at the weights that the run starts from")
        return {
            **self.names,
            "mse_unmasked": own["mse_unmasked"],
            "mse_masked": own["mse_masked"],
            "ce_masked": own["ce_masked"],
            "ce_masked_base": rows[0]["ce_masked_base"] if rows else own["ce_masked"],
            "acc_unmasked": own["acc_unmasked"],
            "acc_unmasked_heldout": real["acc_unmasked"],
            "ce_heldout": real["ce_masked"],
        }


@torch.no_grad()
def curves(student: Student, examples: list[Example]) -> Curves:
    """Return means over the fixed maskings; all NaN without examples.

    mse_unmasked and mse_masked are squared errors, ce_masked is in nats, acc_unmasked a share.
    """
    names = ("mse_unmasked", "mse_masked", "ce_masked", "acc_unmasked")
    if not examples:
        return dict.fromkeys(names, math.nan)
    sums = dict.fromkeys(names, 0.0)
    clean = Batch.of(examples, student.model.config.pad_token_id)
    for repeat in range(REPEATS):
        batch = masked(clean, student.model, torch.Generator().manual_seed(repeat))
        terms, clean_BK = every_row(student, batch), batch.clean_BK
        found = {
            "mse_unmasked": (terms["error"] * clean_BK).sum() / clean_BK.sum().clamp(min=1),
            "mse_masked": row_mean(terms["error"], batch.mask_BK),
            "ce_masked": row_mean(terms["ce"], batch.mask_BK),
            "acc_unmasked": (terms["right"] * clean_BK).sum() / clean_BK.sum().clamp(min=1),
        }
        for key, value in found.items():
            sums[key] += float(value) / REPEATS
    return sums


def every_row(student: Student, batch: Corrupted) -> dict[str, Tensor]:
    """Return "error", "ce" and "right" of all rows, on the CPU: every process measures its share."""
    names, parts, machine = ("error", "ce", "right"), [], student.machine
    for rows in machine.team.rows(len(batch.target_BK), machine.micro_batch):
        part = batch.take(rows.numbers, machine.device)
        terms = student(_terms_of(part, names))
        parts.append(torch.stack([terms[name].cpu().float()[rows.counts] for name in names]))
    whole = torch.cat(machine.team.gather(torch.cat(parts, dim=1)), dim=1)
    return dict(zip(names, whole, strict=True))


def _terms_of(batch: Corrupted, names: tuple[str, ...]) -> Callable[[Student], dict[str, Tensor]]:
    return lambda student: student.predict(batch).terms(batch.target_BK, names)


def train_to_folder(
    study: StudyConfig,
    model: str,
    run: str,
    seed: int,
    data: Path,
    out: Path,
    start: Path | None = None,
    code: str = "",
    verdicts: Path | None = None,
) -> None:
    """Train `model` on `data` as a run of the study says; writes checkpoint and `log.jsonl` into `out`.

    Called by every process of a job; the leader writes. The state waits in `out`.state, and what the run took
    beside it (`training.spent`).

    Args:
        start: folder of the weights that the run starts from; without it they are the model's own. code: the
        fingerprint of the code of this stage: a saved state must agree with it. verdicts: those on the
        answers, for a run that learns only from what passed.
    Raises:
        DataError: fewer of them than a batch passed, or one has no verdict.
    """
    full, chosen = study.model(model).training == "full", study.run(run)
    rows, state, kept = read_jsonl(data), out.with_name(out.name + ".state"), None
    if verdicts is not None:
        kept = keep_passed(rows, read_jsonl(verdicts), study.training.of(chosen, full=full).batch_size)
    answers = OwnAnswers.from_rows(kept.rows if kept else rows)

    def report(row: Row) -> None:
        shown = " ".join(
            f"{key} {row[key]:.4f}" for key in ("mse_unmasked", "acc_unmasked", "ce_masked", "ce_heldout")
        )
        if machine.team.leads:
            which = f"{row['update']}/{trainer.course.updates}"
            print(f"train {model} {run} update {which}: {shown}", file=sys.stderr, flush=True)

    with joined(study.runtime.device) as (team, device):
        machine = Machine.of(study.runtime, team, device)
        if kept and team.leads:
            print(f"train {model} {run}: {kept}", file=sys.stderr, flush=True)
        where = "cpu" if team.size > 1 and full else device  # sharded: a layer at a time leaves the CPU
        source = start or model_source(study, model)
        base, tokenizer = load_model(source, where, None)
        second = full and make_loss(chosen.objective, chosen.settings).needs_reference
        student = load_model(source, where, None)[0] if second else base
        stored = base.dtype
        trainer = tuner(
            base,
            answers,
            study.training,
            chosen,
            full,
            seed,
            student=student,
            machine=machine,
            facts={"code": code, "tokenizer": tokenizer_sha256(tokenizer)},
        )
        log = trainer.run(report, state)
        trained, extra = trainer.model(stored), trainer.held.extra()
        if team.leads:
            large = sum(tensor.nbytes for tensor in trained.state_dict().values()) > SHARD_BYTES
            updates, everywhere = trainer.course.updates, trainer.objective.everywhere
            said = alignment(chosen.objective, run, updates, model_folder(source), everywhere)
            save_checkpoint(trained, tokenizer, out, SHARD_BYTES if large else None, said)
            save_extra(extra, chosen.objective, chosen.settings, out)
            write_jsonl(out / "log.jsonl", log)
            entry = OBJECTIVES[chosen.objective]
            took = spent(trainer, entry.cost(entry.checked(chosen.settings)))
            note_spent(out, {**took, **(kept.facts if kept else {})})
            remove(state)
