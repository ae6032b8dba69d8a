"""Corrupted places hold masks, and some of them random tokens, as in XDLM (arXiv 2602.01362).

Noise of a place is pi = k uniform + (1 - k) mask, and at time t a place holds noise with probability t, else
its token: q_t(z | x) = alpha 1[z = x] + (1 - alpha) pi_z with alpha = 1 - t. So no token says whether it was
put there, and the loss is over all of the response.

    bound          what the reverse process loses in nats a token (`noise_bound`); k = 0 is that of masked
                   diffusion, cross-entropy at masks over t
    cross_entropy  at all response places, equally

The bound is derived here from the two processes' rates: any mixture of a token and noise that stays the same
has it in closed form. It is least where the model's prediction p is what the *other* places say of a place;
what the place itself holds, the formula weighs. So the argmax of such a model does not copy tokens, and a
reader adds what they say (`own_evidence`). The prediction of a model by cross-entropy is the whole posterior.

Deviations: times keep 0.001 away from both ends, and are stratified over the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from xpflow.errors import ConfigError
from xpflow.noise import OneMask, noise_of
from xpflow.study.config.base import Block
from xpflow.training.corruption import Corrupted, laid_out
from xpflow.training.examples import Batch
from xpflow.training.objective import Cost, Loss, Objective, Term
from xpflow.training.student import Prediction, Student

EARLIEST = 1e-3  # time, and its distance from 1


class UniformSettings(Block):
    """Settings of `uniform_and_masked`."""

    uniform: float = Field(
        default=0.1, ge=0, le=1, description="k: share of corrupted places that hold a random token"
    )
    loss: Literal["bound", "cross_entropy"] = Field(
        default="bound", description="XDLM's own, or cross-entropy at all response places"
    )


class UniformAndMasked(Loss):
    """The bound, or cross-entropy, over responses with masks and random tokens in them."""

    everywhere = True

    def __init__(self, settings: UniformSettings) -> None:
        self.settings = settings

    def corrupt(self, batch: Batch, model: Any, generator: torch.Generator) -> Corrupted:
        """Return sequences with noise at random places, and each row's alpha.

        Raises:
            ConfigError: the model has no single mask token.
        """
        noise = noise_of(model.config)
        if not isinstance(noise, OneMask):
            raise ConfigError("uniform_and_masked needs a model with one mask token", hint="train another")
        clean = laid_out(batch, model)
        shape = clean.target_BK.shape
        strata_B = torch.randperm(shape[0], generator=generator) + torch.rand(shape[0], generator=generator)
        t_B = EARLIEST + (1 - 2 * EARLIEST) * strata_B / shape[0]
        coin_BK, kind_BK = torch.rand(2, *shape, generator=generator)
        token_BK = torch.randint(model.config.vocab_size, shape, generator=generator)
        mask_BK = (coin_BK < t_B[:, None]) & clean.response_BK
        noise_BK = token_BK.where(kind_BK < self.settings.uniform, torch.tensor(noise.id))
        return clean.reading(noise_BK.where(mask_BK, clean.target_BK), mask_BK, alpha_B=1 - t_B)

    def forward(self, student: Student, batch: Corrupted) -> Tensor:
        """Return the loss at every place, [B, K]."""
        prediction: Prediction = student.predict(batch)
        if self.settings.loss == "cross_entropy":
            return prediction.terms(batch.target_BK, ["ce"])["ce"]
        config = student.model.config
        mask_id, size, k = int(config.mask_token_id), int(config.vocab_size), self.settings.uniform

        def bound(logits: Tensor, target: Tensor, held: Tensor, alpha: Tensor) -> Tensor:
            pi_V = uniform_noise(size, mask_id, k, logits)
            hidden_V = torch.arange(logits.shape[-1], device=logits.device) == mask_id
            log_p = logits.float().masked_fill(hidden_V, -torch.inf).log_softmax(-1)
            return noise_bound(log_p, target, held, alpha, pi_V)

        alpha_BK = batch.draws["alpha_B"][:, None].expand(batch.target_BK.shape)
        return prediction.each(bound, batch.target_BK, batch.ids_BK, alpha_BK)

    def terms(self, outputs: Tensor, batch: Corrupted) -> Mapping[str, Term]:
        """Return the loss, over the response."""
        name = "ce" if self.settings.loss == "cross_entropy" else "bound"
        return {name: Term(outputs, batch.response_BK)}


def uniform_noise(size: int, mask_id: int, share: float, like: Tensor) -> Tensor:
    """Return pi, float32 [V] for logits [..., V]: `share` over the first `size` ids, the rest on the mask."""
    pi_V = torch.zeros(like.shape[-1], device=like.device)
    pi_V[:size] = share / size
    pi_V[mask_id] += 1 - share
    return pi_V


def own_evidence(log_p: Tensor, held: Tensor, alpha: float, pi_V: Tensor) -> Tensor:
    """Return the log-probabilities of tokens given all places, from those given the others, [..., V].

    What a place holds was kept with probability alpha, or is noise: q(z | v) = alpha 1[z = v] + (1 - alpha)
    pi_z. alpha is the reader's guess of how much is clean.
    """
    noise = (1 - alpha) * pi_V[held]
    kept = ((noise + alpha) / noise.clamp(min=torch.finfo(log_p.dtype).tiny)).log()
    return log_p.scatter_add(-1, held[..., None], kept[..., None].to(log_p)).log_softmax(-1)


def noise_bound(log_p: Tensor, target: Tensor, held: Tensor, alpha: Tensor, pi_V: Tensor) -> Tensor:
    """Return d/dt of the negative bound at every place, in nats, for alpha = 1 - t.

    The reverse rate from z to y is pi_z q(y) / (alpha q(z)), with q that of the true token x, or of the model
    where p stands for it. What the model loses in the time dt, summed over y, is

        pi_z / alpha (1 / q_p(z) - 1 / q_x(z) + (KL(q_x, q_p) - log(q_x(z) / q_p(z))) / q_x(z)) dt

    Args:
        log_p: log-probabilities of the model [..., V]; -inf at the mask. target, held: x and z, [...]. alpha:
        [...], between 0 and 1. pi_V: noise.
    """
    log_alpha, log_pi_V = alpha.log()[..., None], pi_V.log()
    log_noise = torch.log1p(-alpha)[..., None] + log_pi_V
    log_q_p = torch.logaddexp(log_alpha + log_p, log_noise)
    log_q_x = log_noise.expand_as(log_q_p).clone()
    at_x = target[..., None]
    log_q_x.scatter_(-1, at_x, torch.logaddexp(log_alpha.expand(at_x.shape), log_noise.gather(-1, at_x)))
    possible = log_q_x > -torch.inf
    ratio = torch.where(possible, log_q_x, 0.0) - torch.where(possible, log_q_p, 0.0)
    divergence = (log_q_x.exp() * ratio).sum(-1)
    at_z = held[..., None]
    log_x, log_z = log_q_x.gather(-1, at_z)[..., 0], log_q_p.gather(-1, at_z)[..., 0]
    pi_z = pi_V[held]
    live = pi_z > 0  # elsewhere no noise can have put it there
    log_x, log_z = torch.where(live, log_x, 0.0), torch.where(live, log_z, 0.0)
    lost = (-log_z).exp() - (-log_x).exp() + (divergence - (log_x - log_z)) * (-log_x).exp()
    return torch.where(live, pi_z / alpha * lost, 0.0)


OBJECTIVE = Objective(
    settings=UniformSettings,
    make=UniformAndMasked,
    about="masks and random tokens in their place, by the bound or cross-entropy everywhere (XDLM)",
    examples=({}, {"uniform": 0.5, "loss": "cross_entropy"}),
    cost=lambda settings: Cost(logit_bytes=24 if settings.loss == "bound" else 0),
)
