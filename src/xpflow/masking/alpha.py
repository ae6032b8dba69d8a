"""alpha_i(t): the probability that place i of a sentence is still seen at time t, and what follows from it.

Legend: B sentences, L places, t in [0, 1] with all seen at 0 and all masked at 1, A velocity, w power.

A place is masked at a random time T_i with P(T_i <= t) = 1 - alpha_i(t), independently of the others, and
stays masked. Backwards in time it is decided at rate A_i = -alpha_i' / (1 - alpha_i) (Hong et al., arXiv
2602.02112). All of it is float64: powers of times near 0 are weights of a loss.

Times are drawn by importance: half of the power for each place (`time`), since under uniform times the
weights of a loss have no finite variance for powers up to 1. Every random number comes in as a uniform one,
so that whoever corrupts a batch draws them, wherever the schedule itself is known.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

PLACE_DRAWS, TIME_DRAWS = 2, 3  # uniform numbers behind the mask time of a place, and the time of a sentence
EARLIEST = torch.finfo(torch.float64).tiny  # a drawn time: 0 has no velocity
LOWEST = -60.0  # log of a share of a window that counts as none


class Alpha(ABC):
    """The schedules of the places of some sentences, at any time."""

    @abstractmethod
    def masked(self, t_B: Tensor) -> Tensor:
        """Return 1 - alpha(t), the probability that a place is masked, [B, L]."""

    @abstractmethod
    def rate(self, t_B: Tensor) -> Tensor:
        """Return -alpha'(t), [B, L]."""

    @abstractmethod
    def mask_times(self, uniform_BLU: Tensor) -> Tensor:
        """Return when each place is masked, [B, L], from uniform numbers [B, L, PLACE_DRAWS]."""

    @abstractmethod
    def time(self, uniform_BU: Tensor) -> Tensor:
        """Return a time for each sentence, [B], from uniform numbers [B, TIME_DRAWS]; see `density`."""

    @abstractmethod
    def density(self, t_B: Tensor) -> Tensor:
        """Return the density of the times that `time` draws, [B]."""

    def velocity(self, t_B: Tensor) -> Tensor:
        """Return A(t), [B, L]: 0 where a place cannot be masked yet, or cannot be decided any more."""
        masked_BL = self.masked(t_B)
        return torch.where(masked_BL > 0, self.rate(t_B) / torch.where(masked_BL > 0, masked_BL, 1.0), 0.0)

    def log_prob(self, t_B: Tensor, masked_BL: Tensor) -> Tensor:
        """Return log q(which places are masked at t), [B]."""
        p_BL = torch.where(masked_BL, self.masked(t_B), 1 - self.masked(t_B))
        return p_BL.log().sum(-1)


@dataclass(frozen=True, slots=True)
class PowerWindows(Alpha):
    """alpha_i = 1 - u^w with u the share of the window [start, end] that is past; float64, [B, L] each.

    One window of the whole time and powers of 1 are masked diffusion; a window for each place is an
    autoregressive model; powers alone are LoMDM (arXiv 2602.02112).
    """

    start_BL: Tensor
    end_BL: Tensor
    power_BL: Tensor

    def masked(self, t_B: Tensor) -> Tensor:
        """Return u^w."""
        past_BL = self._past(t_B)
        inside_BL = torch.where(past_BL > 0, past_BL, 1.0)
        return torch.where(past_BL > 0, inside_BL**self.power_BL, 0.0)

    def rate(self, t_B: Tensor) -> Tensor:
        """Return w u^(w - 1) / (end - start) within the window."""
        inside_BL = self._inside(t_B)
        past_BL = torch.where(inside_BL, self._past(t_B), 1.0)
        found_BL = self.power_BL * past_BL ** (self.power_BL - 1) / (self.end_BL - self.start_BL)
        return torch.where(inside_BL, found_BL, 0.0)

    def velocity(self, t_B: Tensor) -> Tensor:
        """Return w / (t - start) within the window."""
        inside_BL = self._inside(t_B)
        since_BL = torch.where(inside_BL, t_B[:, None] - self.start_BL, 1.0)
        return torch.where(inside_BL, self.power_BL / since_BL, 0.0)

    def log_prob(self, t_B: Tensor, masked_BL: Tensor) -> Tensor:
        """Return log q(which places are masked at t), [B], with a gradient in the powers."""
        past_BL = self._past(t_B)
        open_BL, over_BL = past_BL <= 0, past_BL >= 1
        log_BL = self.power_BL * torch.where(open_BL | over_BL, 0.5, past_BL).log().clamp(min=LOWEST)
        found_BL = torch.where(masked_BL, log_BL, (-torch.expm1(log_BL)).log())
        certain_BL = torch.where(masked_BL == over_BL, 0.0, -torch.inf)
        return torch.where(open_BL | over_BL, certain_BL, found_BL).sum(-1)

    def mask_times(self, uniform_BLU: Tensor) -> Tensor:
        """Return start + (end - start) U^(1 / w)."""
        share_BL = uniform_BLU[..., 0].double() ** (1 / self.power_BL)
        return self.start_BL + (self.end_BL - self.start_BL) * share_BL

    def time(self, uniform_BU: Tensor) -> Tensor:
        """Return start + (end - start) U^(2 / w) of a place that is drawn uniformly."""
        places = self.power_BL.shape[1]
        place_B1 = (uniform_BU[:, 1].double() * places).long().clamp(max=places - 1)[:, None]
        start_B, end_B, power_B = (
            table_BL.detach().gather(1, place_B1).squeeze(1)
            for table_BL in (self.start_BL, self.end_BL, self.power_BL)
        )
        share_B = uniform_BU[:, 2].double() ** (2 / power_B)
        return (start_B + (end_B - start_B) * share_B).clamp(min=EARLIEST)

    def density(self, t_B: Tensor) -> Tensor:
        """Return the mean over places of (w / 2) u^(w / 2 - 1) / (end - start); a constant of the loss."""
        inside_BL, half_BL = self._inside(t_B), self.power_BL.detach() / 2
        past_BL = torch.where(inside_BL, self._past(t_B), 1.0)
        found_BL = half_BL * past_BL ** (half_BL - 1) / (self.end_BL - self.start_BL)
        return torch.where(inside_BL, found_BL, 0.0).mean(-1)

    def _past(self, t_B: Tensor) -> Tensor:
        share_BL = (t_B[:, None] - self.start_BL) / (self.end_BL - self.start_BL)
        return share_BL.clamp(0.0, 1.0)

    def _inside(self, t_B: Tensor) -> Tensor:
        return (t_B[:, None] > self.start_BL) & (t_B[:, None] <= self.end_BL)


@dataclass(frozen=True, slots=True)
class Mixed(Alpha):
    """(1 - share) of one schedule and `share` of another, place by place: alpha is the mixture of alphas."""

    first: Alpha
    second: Alpha
    share: float

    def masked(self, t_B: Tensor) -> Tensor:
        """Return the mixture of the probabilities."""
        return (1 - self.share) * self.first.masked(t_B) + self.share * self.second.masked(t_B)

    def rate(self, t_B: Tensor) -> Tensor:
        """Return the mixture of the rates."""
        return (1 - self.share) * self.first.rate(t_B) + self.share * self.second.rate(t_B)

    def mask_times(self, uniform_BLU: Tensor) -> Tensor:
        """Return times of the one or the other, chosen for each place by its second uniform number."""
        times = (self.first.mask_times(uniform_BLU), self.second.mask_times(uniform_BLU))
        return torch.where(uniform_BLU[..., 1].double() < self.share, times[1], times[0])

    def time(self, uniform_BU: Tensor) -> Tensor:
        """Return a time of the one or the other."""
        times = (self.first.time(uniform_BU), self.second.time(uniform_BU))
        return torch.where(uniform_BU[:, 0].double() < self.share, times[1], times[0])

    def density(self, t_B: Tensor) -> Tensor:
        """Return the mixture of the densities."""
        return (1 - self.share) * self.first.density(t_B) + self.share * self.second.density(t_B)


def powers(power_BL: Tensor) -> PowerWindows:
    """Return alpha = 1 - t^w for powers [B, L] (LoMDM; masked diffusion where all are equal)."""
    power_BL = power_BL.double()
    return PowerWindows(torch.zeros_like(power_BL), torch.ones_like(power_BL), power_BL)


def ranked(rank_BL: Tensor, ranks: int) -> PowerWindows:
    """Return a window of 1 / ranks for each place: those of rank 0 are decided first, the last ones last.

    Backwards in time the window (1 - 1 / ranks, 1] comes first: alpha = clip(ranks (1 - t) - rank, 0, 1).
    """
    rank_BL = rank_BL.double()
    end_BL = 1 - rank_BL / ranks
    return PowerWindows(1 - (rank_BL + 1) / ranks, end_BL, torch.ones_like(end_BL))


def working_masks(alpha: Alpha, t_B: Tensor, uniform_BLU: Tensor) -> tuple[Tensor, Tensor]:
    """Draw masks at t of which at least one counts, bool [B, L], and the probability that one does, [B].

    A place counts where its velocity is not zero. Draws of which none counts have no loss; leaving them out,
    and weighting by the probability of the others, changes no mean and wastes no forward. Under a strict
    order every draw then has its one target.
    """
    masked_BL, works_BL = alpha.masked(t_B), alpha.velocity(t_B) > 0
    seen_BL = torch.where(works_BL, 1 - masked_BL, 1.0).cumprod(-1)
    before_BL = torch.cat((torch.ones_like(seen_BL[:, :1]), seen_BL[:, :-1]), dim=-1)
    first_BL = torch.where(works_BL, masked_BL * before_BL, 0.0).cumsum(-1)
    chance_B1 = first_BL[:, -1:]
    cut_B1 = uniform_BLU[:, :1, 1].double() * chance_B1
    place_B1 = (first_BL <= cut_B1).sum(-1, keepdim=True).clamp(max=masked_BL.shape[1] - 1)
    number_L = torch.arange(masked_BL.shape[1], device=masked_BL.device)
    drawn_BL = uniform_BLU[..., 0].double() < masked_BL
    drawn_BL = torch.where(works_BL & (number_L < place_B1), False, drawn_BL)
    return drawn_BL | (number_L == place_B1), chance_B1.squeeze(1)


def uniform_numbers(rows: int, places: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw the uniform numbers of times [B, TIME_DRAWS] and of places [B, L, PLACE_DRAWS], on the CPU."""
    time_BU = torch.rand(rows, TIME_DRAWS, generator=generator, dtype=torch.float64)
    place_BLU = torch.rand(rows, places, PLACE_DRAWS, generator=generator, dtype=torch.float64)
    return time_BU, place_BLU
