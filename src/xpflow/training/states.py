"""States between all masks and an answer, as a decoder visits them, and what a prediction says at each place.

Objectives that distil few-step decoding share this. A state keeps the answer's tokens at some places and
masks at the others; what is there is never wrong. Places fall into groups: a dense model has one group for
each row, a block-causal one for each block, since its blocks are predicted side by side (`corruption`). In a
dense model a window may be drawn instead, as a semi-autoregressive decoder opens one: what is left of it is
clean, what is right of it is masked and no part of the loss.

A run imports no decoder, so that a change there leaves trained weights valid. That these states are those of
a decoder is for tests to say.

Legend: B rows, N response length, K read positions, G groups, W places of a group, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from xpflow.errors import ConfigError
from xpflow.noise import noise_of
from xpflow.training.corruption import Corrupted, block_length, noisy_ids
from xpflow.training.examples import Batch
from xpflow.training.student import Prediction


@dataclass(frozen=True, slots=True)
class Window:
    """Where a loss is taken, and the places behind it, which are masked and have none; both bool [B, K]."""

    inside_BK: Tensor
    later_BK: Tensor


@dataclass(frozen=True, slots=True)
class Reading:
    """What a prediction says at each place, [B, K], among the tokens that may be an answer.

    guess: the most probable token; confidence: its probability; support: that of the answer's own token.
    """

    guess_BK: Tensor
    confidence_BK: Tensor
    support_BK: Tensor


def draw_window(clean: Corrupted, model: Any, length: int, generator: torch.Generator) -> Window:
    """Draw a block of `length` response places for each row; the whole response where `length` is 0.

    A block-causal model has blocks of its own, and all of them are inside. The last block may be shorter.
    """
    response_BK = clean.response_BK
    if not length or block_length(model):
        return Window(response_BK, torch.zeros_like(response_BK))
    rows, width = response_BK.shape
    block_B1 = torch.randint(-(-width // length), (rows, 1), generator=generator)
    number_1K = torch.arange(width)[None, :] // length
    return Window(number_1K == block_B1, number_1K > block_B1)


def draw_noise(clean: Corrupted, model: Any, generator: torch.Generator) -> Tensor:
    """Draw what each place holds while it is masked, ids [B, K]."""
    return noisy_ids(model, clean.target_BK, torch.ones_like(clean.response_BK), generator)


def state_of(batch: Corrupted, mask_BK: Tensor) -> Corrupted:
    """Return the answer with masks where `mask_BK` says, and behind the window.

    The batch has the draws `noise_BK` and `later_BK`; the corrupted places are those of `mask_BK`.
    """
    hidden_BK = mask_BK | batch.draws["later_BK"]
    ids_BK = torch.where(hidden_BK, batch.draws["noise_BK"], batch.target_BK)
    return batch.reading(ids_BK, mask_BK)


def grouped(values_BK: Tensor, model: Any) -> Tensor:
    """Return values by group, [G, W]; `view_as` the original undoes it."""
    return values_BK.reshape(-1, block_length(model) or values_BK.shape[1])


def surest(scores_BK: Tensor, able_BK: Tensor, model: Any) -> Tensor:
    """Return the able place of the highest score in each group, bool [B, K]; the leftmost of equals."""
    scores_GW = grouped(scores_BK.masked_fill(~able_BK, -torch.inf), model)
    first_G1 = scores_GW.argmax(dim=-1, keepdim=True)
    return (
        torch.zeros_like(scores_GW, dtype=torch.bool).scatter_(1, first_G1, True).view_as(able_BK) & able_BK
    )


def rank_within(keys_BK: Tensor, able_BK: Tensor, model: Any) -> Tensor:
    """Return each able place's rank by its key in its group, from 0, ties to the left; W elsewhere."""
    keys_GW = grouped(keys_BK.double().masked_fill(~able_BK, torch.inf), model)
    rank_GW = keys_GW.argsort(dim=-1, stable=True).argsort(dim=-1)
    return rank_GW.view_as(able_BK).masked_fill(~able_BK, keys_GW.shape[1])


def count_within(able_BK: Tensor, model: Any) -> Tensor:
    """Return at each place how many able places its group has, [B, K]."""
    able_GW = grouped(able_BK, model)
    return able_GW.sum(-1, keepdim=True).expand_as(able_GW).reshape(able_BK.shape)


def draw_counts(able_BK: Tensor, model: Any, generator: torch.Generator) -> Tensor:
    """Draw a uniform number of 1 to all able places for each group; given at every place, [B, K]."""
    able_GW = grouped(able_BK, model)
    total_G1 = able_GW.sum(-1, keepdim=True)
    drawn_G1 = (torch.rand(total_G1.shape, generator=generator) * total_G1).long().clamp(max=total_G1 - 1) + 1
    return drawn_G1.expand_as(able_GW).reshape(able_BK.shape)


def deciding_keys(batch: Batch, clean: Corrupted, kind: str, generator: torch.Generator) -> Tensor:
    """Return keys [B, K] that order the places as the teacher decided them.

    Args:
        kind: "steps", those that the data holds; "random", an order drawn here.
    Raises:
        ConfigError: steps are asked for, and the data holds none.
    """
    drawn_BK = torch.rand(clean.target_BK.shape, generator=generator)
    if kind == "random":
        return drawn_BK
    if batch.steps_BN is None:
        raise ConfigError(
            "the data does not say when the teacher decided its tokens",
            hint="set selfdata.steps to true, or the objective's `trajectory` to random",
        )
    place_BK = (clean.response_BK.cumsum(-1) - 1).clamp(min=0)
    return batch.steps_BN.gather(1, place_BK).double()


def hidden_ids(config: Any) -> list[int]:
    """Return the ids that are never an answer: noise, and what the model's config suppresses."""
    return sorted({*noise_of(config).ids, *(getattr(config, "suppress_token_ids", None) or ())})


def words(logits: Tensor, hidden: list[int]) -> Tensor:
    """Return log-probabilities in fp32 among the tokens that may be an answer."""
    never_V = torch.zeros(logits.shape[-1], dtype=torch.bool, device=logits.device)
    never_V[hidden] = True
    return logits.float().masked_fill(never_V, -torch.inf).log_softmax(-1)


@torch.no_grad()
def read(prediction: Prediction, target_BK: Tensor, hidden: list[int]) -> Reading:
    """Return what a prediction says, without a gradient; `target_BK`: the answer."""

    def best(logits: Tensor, target: Tensor) -> Tensor:
        log_p = words(logits, hidden)
        confidence, guess = log_p.max(-1)
        support = log_p.gather(-1, target[..., None])[..., 0]
        return torch.stack((guess.double(), confidence.exp().double(), support.exp().double()), dim=-1)

    guess_BK, confidence_BK, support_BK = prediction.each(best, target_BK).unbind(-1)
    return Reading(guess_BK.long(), confidence_BK, support_BK)
