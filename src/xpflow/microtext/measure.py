"""What the oracle measures: entropy of a language, what a simultaneous step loses, how good samples are.

All numbers are in nats. An estimate says its standard error; what is exact has none.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from xpflow.errors import DataError
from xpflow.microtext.world import World

DRAWS = 16_384  # sentences behind an estimated entropy
ROWS = 1024  # of them at a time, as they fit into a cache


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its standard error; 0 where the value is exact."""

    value: float
    standard_error: float = 0.0

    @classmethod
    def of(cls, values: Tensor) -> Estimate:
        """Return the mean of independent values.

        Raises:
            DataError: there are fewer than two.
        """
        if values.numel() < 2:
            raise DataError("a standard error needs two values at least")
        values = values.double().flatten()
        return cls(float(values.mean()), float(values.std() / values.numel() ** 0.5))


@dataclass(frozen=True, slots=True)
class Quality:
    """How good samples are, by the language itself.

    sentences: how many there are. invalid: share that the language cannot say. nll: mean -log p(x) of the
    valid ones; None where there is none. An nll below the language's entropy is no merit: the samples repeat
    what is likely. distinct: share of sentences that differ from all before them. unigram_entropy: of all
    their words together, in nats.
    """

    sentences: int
    invalid: float
    distinct: float
    unigram_entropy: float
    nll: Estimate | None = None


def entropy(world: World, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """Return H(x) of a sentence: exact where words tell the path of states, else from sentences drawn."""
    chains = world.chains
    if chains.tells_path:
        nothing_BL = torch.zeros(1, world.length, dtype=torch.long)
        return Estimate(float(chains.entropy(nothing_BL, torch.ones_like(nothing_BL, dtype=torch.bool))))
    found = world.sample(draws, torch.Generator().manual_seed(seed))
    return Estimate.of(-torch.cat([world.log_prob(part_BL) for part_BL in torch.split(found, ROWS)]))


def quality(world: World, ids_BL: Tensor) -> Quality:
    """Measure samples [B, L] by their exact likelihood; nobody else's model is asked for a perplexity.

    Raises:
        DataError: there are no samples, or they are no sentences of this length and vocabulary.
    """
    if not len(ids_BL):
        raise DataError("there is no sample to measure")
    log_p_B = world.log_prob(ids_BL)
    valid_B = log_p_B.isfinite()
    few = int(valid_B.sum()) < 2
    share_V = torch.bincount(ids_BL.flatten()).double() / ids_BL.numel()
    return Quality(
        sentences=len(ids_BL),
        invalid=1 - float(valid_B.double().mean()),
        nll=None if few else Estimate.of(-log_p_B[valid_B]),
        distinct=len(set(map(tuple, ids_BL.tolist()))) / len(ids_BL),
        unigram_entropy=float(torch.special.entr(share_V).sum()),
    )


def log_ratio(world: World, ids_BL: Tensor, open_BL: Tensor, step_BL: Tensor) -> Tensor:
    """Return log p(step | seen) - sum of log p(x_i | seen) over the step, [B]: what is lost at once.

    Its mean over sentences of the language is the total correlation of the step's places, given what is seen:
    the nats that a step loses which draws these places independently, each from its exact conditional.

    Args:
        ids_BL: whole sentences. open_BL: places not yet seen. step_BL: those of them that are decoded now.
    Raises:
        DataError: a place of the step is not open.
    """
    if bool((step_BL & ~open_BL).any()):
        raise DataError("a step decodes places that are open, and no others")
    together_B = world.log_evidence(ids_BL, open_BL & ~step_BL) - world.log_evidence(ids_BL, open_BL)
    alone_BL = world.denoiser(ids_BL, open_BL).gather(-1, ids_BL[..., None]).squeeze(-1)
    return together_B - torch.where(step_BL, alone_BL, 0.0).sum(-1)


def total_correlation(world: World, ids_BL: Tensor, open_BL: Tensor) -> Tensor:
    """Return the total correlation of all open places given the seen words, [B], exactly.

    This is what one last step loses that decodes everything that is left. For fewer places see `log_ratio`.

    Raises:
        DataError: the language's words do not tell its states (`Chains.entropy`).
    """
    p_BLV = world.conditionals(ids_BL, open_BL)
    alone_B: Tensor = torch.special.entr(p_BLV).sum((-1, -2))
    return alone_B - world.chains.entropy(ids_BL, open_BL)


def one_step_loss(world: World, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """Return the total correlation of a whole sentence: what one step from all masks to text loses."""
    if world.chains.tells_path:
        nothing_BL = torch.zeros(1, world.length, dtype=torch.long)
        every_BL = torch.ones_like(nothing_BL, dtype=torch.bool)
        return Estimate(float(total_correlation(world, nothing_BL, every_BL)))
    ids_BL = world.sample(draws, torch.Generator().manual_seed(seed))
    every_BL = torch.ones_like(ids_BL, dtype=torch.bool)
    alone_LV = world.denoiser(ids_BL[:1], every_BL[:1])[0]
    alone_B = alone_LV.expand(draws, -1, -1).gather(-1, ids_BL[..., None]).sum((-1, -2))
    return Estimate.of(world.log_prob(ids_BL) - alone_B)
