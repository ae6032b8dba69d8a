"""The perplexity of a masked model on packed rows: exp of its bound in nats a token, under any schedule.

As in MDLM's evaluation every token of a row counts, begin and end tokens too, and the number is an upper
bound. Deviation: times are drawn by importance and masks that have no loss are not drawn (`masking.bound`),
which leaves the mean as it is and lowers its variance. The standard error is over rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from xpflow.corpora.store import Rows
from xpflow.errors import DataError
from xpflow.masking import orders
from xpflow.masking.alpha import Alpha, PowerWindows, powers
from xpflow.masking.bound import Denoiser, Forward, Reverse, draw_bound
from xpflow.masking.subs import subs_denoiser
from xpflow.training.finite import TrainingError
from xpflow.training.row_model import RowModel, TrainedRows

LARGEST = 700.0  # nats a token: exp of more is no number
ORDERS = 32  # rows whose orders are looked at


@dataclass(frozen=True, slots=True)
class Perplexity:
    """A bound in nats a token with its standard error, and its exponential.

    forwards: how many sentences the model read to predict. velocity: the part of `nats` that a learned order
    costs, 0 for a fixed one.
    """

    value: float
    nats: float
    standard_error: float
    rows: int
    forwards: int
    velocity: float = 0.0


@dataclass(frozen=True, slots=True)
class Orders:
    """What a learned schedule's orders of some rows are like.

    entropy: of the order, the mean. most: log L!, of the uniform order. spread: mean of largest over smallest
    power.
    """

    entropy: float
    most: float
    spread: float
    rows: int


def perplexity(
    model: Any, rows: Rows, limit: int | None = None, draws: int = 1, batch: int = 4, seed: int = 0
) -> Perplexity:
    """Return the perplexity of a model's masked diffusion on the first `limit` rows, or on all.

    Args:
        draws: times and masks of each row.

    Raises:
        DataError: rows are not all of one length, or there are fewer than two. TrainingError: the bound is no
        finite number.
    """
    denoiser = subs_denoiser(model, rows=batch)
    return _bound(lambda _: denoiser, _uniform, lambda ids, _: _uniform(ids), rows, limit, draws, batch, seed)


def rows_perplexity(
    trained: TrainedRows, rows: Rows, limit: int | None = None, draws: int = 1, off: bool = False
) -> Perplexity:
    """Return the perplexity of a run's model by its own schedule, its masks carrying their noise.

    Args:
        limit, draws: as for `perplexity`. off: without the order that it has learned.

    Raises:
        as `perplexity`.
    """
    model = trained.without_order() if off else trained.model
    asked = _asking(model, trained)
    seed = trained.recipe.seed
    return _bound(asked, model.forward, model.reverse, rows, limit, draws, model.rows, seed)


def orders_on(trained: TrainedRows, rows: Rows) -> Orders | None:
    """Return what a learned schedule's orders are like on the first rows; None for a fixed one."""
    model, ids_NL = trained.model, _ids(rows, range(min(ORDERS, len(rows))))
    if not model.schedule.learned:
        return None
    power_NL = torch.cat([_powers(model.forward(part_BL)) for part_BL in torch.split(ids_NL, model.rows)])
    places, generator = ids_NL.shape[1], torch.Generator().manual_seed(trained.recipe.seed)
    if places <= orders.EXACT_UP_TO:
        entropy = orders.entropy(power_NL).mean()
    else:
        entropy = orders.sampled_entropy(power_NL, 16, generator).mean()
    spread = (power_NL.max(-1).values / power_NL.min(-1).values).mean()
    return Orders(float(entropy), orders.most_entropy(places), float(spread), len(ids_NL))


def measured(
    trained: TrainedRows, rows: Mapping[str, tuple[Rows, int | None]], draws: int
) -> dict[str, dict[str, Perplexity]]:
    """Return the perplexity on rows by name, each with its limit: as "own", and "off" of a learned order."""
    kinds = ("own", "off") if trained.model.schedule.learned else ("own",)
    return {
        name: {kind: rows_perplexity(trained, one, limit, draws, kind == "off") for kind in kinds}
        for name, (one, limit) in rows.items()
    }


def _asking(model: RowModel, trained: TrainedRows) -> Callable[[torch.Generator], Denoiser]:
    """Return what makes a denoiser of a generator: masks of a model with noise have fresh noise each time."""
    shape = trained.shape
    if shape is None:
        return lambda _: model.denoiser

    def noisy(generator: torch.Generator) -> Denoiser:
        def denoiser(ids_BL: Tensor, open_BL: Tensor) -> Tensor:
            noise_BLW = shape.draw(len(ids_BL), ids_BL.shape[1], generator)
            return model.noisy_denoiser(ids_BL, open_BL, noise_BLW)

        return denoiser

    return noisy


def _bound(
    asked: Callable[[torch.Generator], Denoiser],
    forward: Forward,
    reverse: Reverse,
    rows: Rows,
    limit: int | None,
    draws: int,
    batch: int,
    seed: int,
) -> Perplexity:
    count = min(len(rows), limit or len(rows))
    if not rows.about["packed"] or count < 2:
        raise DataError(f"{rows.folder}: a perplexity needs two packed rows", hint="pack without --alone")
    generator = torch.Generator().manual_seed(seed)
    denoiser, total, velocity = asked(generator), [], []
    for start in range(0, count, batch):
        ids_BL = _ids(rows, range(start, min(start + batch, count)))
        drawn = [draw_bound(denoiser, forward, reverse, ids_BL, generator).parts for _ in range(draws)]
        total.append(torch.stack([one.total_B for one in drawn]).mean(0) / rows.length)
        velocity.append(torch.stack([one.velocity_B for one in drawn]).mean(0) / rows.length)
    nats_N = torch.cat(total)
    mean, error = float(nats_N.mean()), float(nats_N.std() / count**0.5)
    if not mean <= LARGEST:
        raise TrainingError(
            f"the bound on {rows.folder} is {mean} nats a token: that is no perplexity",
            hint="the model says nothing finite of it: look at its training and at runtime.dtype",
        )
    return Perplexity(math.exp(mean), mean, error, count, count * draws, float(torch.cat(velocity).mean()))


def _ids(rows: Rows, numbers: range) -> Tensor:
    return torch.tensor([rows.row(number) for number in numbers])


def _powers(alpha: Alpha) -> Tensor:
    assert isinstance(alpha, PowerWindows)
    return alpha.power_BL


def _uniform(ids_BL: Tensor) -> Alpha:
    return powers(torch.ones(ids_BL.shape, dtype=torch.float64))
