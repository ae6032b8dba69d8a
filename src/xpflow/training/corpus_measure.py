"""The perplexity of a masked diffusion model on packed rows: exp of its bound in nats a token.

As in MDLM's evaluation every token of a row counts, begin and end tokens too, and the number is an upper
bound. Deviation: times are drawn by importance and masks that have no loss are not drawn (`masking.bound`),
which leaves the mean as it is and lowers its variance. The standard error is over rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from xpflow.corpora.store import Rows
from xpflow.errors import DataError
from xpflow.masking.alpha import Alpha, powers
from xpflow.masking.bound import draw_bound
from xpflow.masking.subs import subs_denoiser


@dataclass(frozen=True, slots=True)
class Perplexity:
    """A bound in nats a token with its standard error, and its exponential.

    forwards: how many sentences the model read.
    """

    value: float
    nats: float
    standard_error: float
    rows: int
    forwards: int


def perplexity(
    model: Any, rows: Rows, limit: int | None = None, draws: int = 1, batch: int = 4, seed: int = 0
) -> Perplexity:
    """Return the perplexity of a model's masked diffusion on the first `limit` rows, or on all.

    Args:
        draws: times and masks of each row.

    Raises:
        DataError: rows are not all of one length, or there are fewer than two.
    """
    count = min(len(rows), limit or len(rows))
    if not rows.about["packed"] or count < 2:
        raise DataError(f"{rows.folder}: a perplexity needs two packed rows", hint="pack without --alone")
    denoise, generator = subs_denoiser(model, rows=batch), torch.Generator().manual_seed(seed)
    found = []
    for start in range(0, count, batch):
        ids_BL = torch.tensor([rows.row(number) for number in range(start, min(start + batch, count))])
        drawn = [
            draw_bound(denoise, _uniform, lambda ids, _: _uniform(ids), ids_BL, generator).parts.main_B
            for _ in range(draws)
        ]
        found.append(torch.stack(drawn).mean(0) / rows.length)
    nats_N = torch.cat(found)
    mean = float(nats_N.mean())
    return Perplexity(math.exp(mean), mean, float(nats_N.std() / count**0.5), count, count * draws)


def _uniform(ids_BL: Tensor) -> Alpha:
    return powers(torch.ones(ids_BL.shape, dtype=torch.float64))
