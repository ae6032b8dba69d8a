"""Muon for hidden matrices, AdamW for everything else: what micro models are pre-trained with."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from xpflow.training.objective import Loss
from xpflow.training.student import Student


def muon_and_adamw(
    student: Student,
    loss: Loss,
    matrix_rate: float,
    other_rate: float,
    *,
    weight_decay: float,
    betas: tuple[float, float],
) -> list[torch.optim.Optimizer]:
    """Return Muon for the hidden matrices, and AdamW for embeddings, head, norms, routers and extras.

    Args:
        matrix_rate, other_rate: peak learning rates of the two; modules of the objective may have their own.
        weight_decay: of the matrices alone. betas: of AdamW.
    """
    model = student.model
    outer = {id(m.weight) for m in (model.get_input_embeddings(), model.get_output_embeddings())}
    is_hidden = {p: p.ndim == 2 and id(p) not in outer for p in model.parameters()}
    hidden, other = ([p for p, inner in is_hidden.items() if inner == wanted] for wanted in (True, False))
    groups: list[dict[str, float | Iterable[torch.nn.Parameter]]] = [{"params": other, "lr": other_rate}]
    for name, module in student.extra.items():
        groups.append({"params": list(module.parameters()), "lr": loss.rates.get(name, other_rate)})
    return [
        torch.optim.Muon(hidden, lr=matrix_rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(groups, betas=betas, weight_decay=0.0),
    ]
