"""The log-likelihood of a text under a masked diffusion model, by LLaDA's Monte-Carlo estimate.

Legend: L target tokens, D draws, S canvas length, K positions that are scored, V vocabulary.

    log p(target | prompt) >= E over l ~ U{1..L}, M ~ the sets of l positions [ L / l * sum over M of
                              log p(target_i | prompt, target without M) ]

Source: arXiv 2502.09992, Eq. 6; ML-GSAI/LLaDA, eval_llada.py, get_loglikelihood. The numbers of masked tokens
are stratified as there.

Deviation: upstream stratifies within every batch; here all draws are stratified together, so that the batch
size changes last bits only. A block-causal model (LLaDA2) predicts each block from the blocks before it: the
estimate is the sum over the target's blocks, each with its own draws (arXiv 2503.09573, Eq. 7), and places of
the last block behind the target are masked, as decoding leaves them. Upstream has no such model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from xpflow.decoding.canvas import ModelFacts, model_facts, prompt_ids
from xpflow.errors import DecodingError
from xpflow.noise import RowRandom


@dataclass(frozen=True, slots=True)
class MonteCarlo:
    """How much is drawn: `draws` maskings of every target (or block of it), `batch_size` in one forward."""

    draws: int = 128
    batch_size: int = 32

    def __post_init__(self) -> None:
        if self.draws < 1 or self.batch_size < 1:
            raise DecodingError(
                f"{self.draws} draws, {self.batch_size} at a time", hint="both are at least 1"
            )


@dataclass(frozen=True, slots=True)
class Estimate:
    """log_likelihood: in nats; forwards: sequences that went through the model."""

    log_likelihood: float
    forwards: int


@torch.no_grad()
def log_likelihood(
    model: Any, prompt: Sequence[int], target: Sequence[int], plan: MonteCarlo, seed: int
) -> Estimate:
    """Estimate log p(target | prompt); equal arguments give an equal estimate.

    Args:
        model: a masked diffusion model whose noise is tokens.
        prompt, target: token ids; the prompt has one at least.
    Raises:
        DecodingError: the ids do not fit the model, or its noise is no token.
    """
    facts = model_facts(model)
    if not facts.noise.ids:
        raise DecodingError(
            "this model's noise is no token, so a text has no masked likelihood",
            hint="score it by generation",
        )
    whole = [*prompt_ids([prompt], facts, len(target))[0], *target]
    generator, random = torch.Generator().manual_seed(seed), RowRandom([seed], torch.device("cpu"))
    total, forwards = 0.0, 0
    for start, end in segments(len(prompt), len(whole), facts.block_length):
        masked_DL = draw_masks(end - start, plan.draws, generator)
        noisy_DS = _noisy(whole, start, end, masked_DL, facts, random)
        target_L = torch.tensor(whole[start:end], device=facts.device)
        for begin in range(0, plan.draws, plan.batch_size):
            rows = slice(begin, begin + plan.batch_size)
            found_D = _weighted(model, noisy_DS[rows], target_L, masked_DL[rows], start)
            total += float(found_D.double().sum()) / plan.draws
        forwards += plan.draws
    return Estimate(total, forwards)


def segments(start: int, end: int, block_length: int) -> Iterator[tuple[int, int]]:
    """Yield the parts of start to end that are predicted together: all of it, or block by block."""
    while start < end:
        stop = min(end, (start // block_length + 1) * block_length) if block_length else end
        yield start, stop
        start = stop


def draw_masks(length: int, draws: int, generator: torch.Generator) -> Tensor:
    """Draw which of L positions are masked, bool `[D, L]`: their number is uniform on 1..L and stratified."""
    first = int(torch.randint(length, (), generator=generator))
    spread_D = torch.arange(draws) * length // draws  # upstream rounds to even here, less evenly
    counts_D = (first + spread_D) % length + 1
    rank_DL = torch.rand(draws, length, generator=generator, dtype=torch.float64).argsort(-1).argsort(-1)
    return rank_DL < counts_D[:, None]


def _noisy(
    whole: Sequence[int], start: int, end: int, masked_DL: Tensor, facts: ModelFacts, random: RowRandom
) -> Tensor:
    """Return canvases `[D, S]` up to the segment's end (its block's end), with noise where it is masked."""
    block = facts.block_length
    size = -(-end // block) * block if block else end
    rows = []
    for masked_L in masked_DL:
        noise_S = facts.noise.start(random, 0, size)
        row_S = torch.cat([torch.tensor(whole[:end]), noise_S[end:]])
        row_S[start:end] = torch.where(masked_L, noise_S[start:end], row_S[start:end])
        rows.append(row_S)
    return torch.stack(rows).to(facts.device)


def _weighted(model: Any, noisy_BS: Tensor, target_L: Tensor, masked_BL: Tensor, start: int) -> Tensor:
    """Return L / l * the masked tokens' log-probabilities of every row, `[B]`."""
    rows, length = masked_BL.shape
    places_BL = torch.arange(start, start + length, device=noisy_BS.device).expand(rows, length)
    logits_BLV = model(input_ids=noisy_BS, logits_positions_BN=places_BL).logits
    found_BL = logits_BLV.float().log_softmax(-1).gather(-1, target_L.expand(rows, length)[..., None])[..., 0]
    masked_BL = masked_BL.to(found_BL.device)
    weighted_B: Tensor = (found_BL * masked_BL).sum(-1) * length / masked_BL.sum(-1)
    return weighted_B
