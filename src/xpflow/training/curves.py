"""The curves of an alignment (Figures 2a and 2b, and what they do not show), on fixed masks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from xpflow.runtime.machine import Machine
from xpflow.training.corpus import Example, collate
from xpflow.training.objectives import Corrupted, corrupt, row_mean
from xpflow.training.student import Measured

REPEATS = 4
Curves = dict[str, float]
Make = Callable[[int], Corrupted]


def maskings(config: Any, examples: list[Example], length: int) -> Make:
    """Return a function that gives the batch of all examples under one of the fixed maskings."""

    def make(repeat: int) -> Corrupted:
        canvas, prompts = collate(examples, config.pad_token_id)
        return corrupt(config, canvas, prompts, length, torch.Generator().manual_seed(repeat))

    return make


@torch.no_grad()
def curves(measured: Measured, make: Make, machine: Machine) -> Curves:
    """Return means over the fixed maskings: mse_unmasked, mse_masked (squared errors), ce_masked (nats),
    acc_unmasked (share)."""
    sums: Curves = {}
    for repeat in range(REPEATS):
        batch = make(repeat)
        terms = every_row(measured, batch, machine)
        clean_BK = batch.response_BK & ~batch.mask_BK
        found = {
            "mse_unmasked": (terms["error"] * clean_BK).sum() / clean_BK.sum().clamp(min=1),
            "mse_masked": row_mean(terms["error"], batch.mask_BK),
            "ce_masked": row_mean(terms["ce"], batch.mask_BK),
            "acc_unmasked": (terms["right"] * clean_BK).sum() / clean_BK.sum().clamp(min=1),
        }
        for key, value in found.items():
            sums[key] = sums.get(key, 0.0) + float(value) / REPEATS
    return sums


def every_row(measured: Measured, batch: Corrupted, machine: Machine) -> dict[str, Tensor]:
    """Return "error", "ce" and "right" of all rows, on the CPU: every process measures its share."""
    names, parts = ("error", "ce", "right"), []
    for rows in machine.team.rows(len(batch.target_BK), machine.micro_batch):
        terms = measured(batch.take(rows.numbers, machine.device), names)
        parts.append(torch.stack([terms[name].cpu().float()[rows.counts] for name in names]))
    whole = torch.cat(machine.team.gather(torch.cat(parts, dim=1)), dim=1)
    return dict(zip(names, whole, strict=True))


def missing() -> Curves:
    """Return the curves of no examples."""
    return dict.fromkeys(("mse_unmasked", "mse_masked", "ce_masked", "acc_unmasked"), math.nan)
