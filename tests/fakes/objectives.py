"""Objectives from outside the package, small ones of the four kinds that siblings of the paper train with.

Two forwards and learned scalars (Soft-Masked, arXiv 2510.17206); a mask token that differs at every position
(Infinite Mask, arXiv 2605.10518); Gaussian noise on embeddings (DSL, arXiv 2602.16169); a learned order with
a head and three forwards (LoMDM). None is a reproduction: they ask of the seam what those will ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from xpflow.training.corruption import Corrupted, laid_out, masked, noisy_ids
from xpflow.training.examples import Batch
from xpflow.training.objective import Cost, Loss, Objective, Term
from xpflow.training.student import Prediction, Student


class Settings(BaseModel):
    """Settings of all four."""

    top: int = 3
    width: int = 8


def uniform(batch: Corrupted, generator: torch.Generator) -> Tensor:
    return torch.rand(batch.target_BK.shape, generator=generator)


class CrossEntropy(Loss):
    """What three of them share: cross-entropy at the corrupted positions."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def terms(self, outputs: Prediction, batch: Corrupted) -> Mapping[str, Term]:
        return {"ce": Term(outputs.terms(batch.target_BK, ["ce"])["ce"], batch.mask_BK)}


class Mixing(nn.Module):
    """lambda = scale * sigmoid(steepness * (-H - offset)), three scalars."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.steepness, self.offset = (
            nn.Parameter(torch.tensor([value])) for value in (0.1, 0.5, -0.75)
        )

    def forward(self, entropy: Tensor) -> Tensor:
        return self.scale * torch.sigmoid(self.steepness * (-entropy - self.offset))


class SoftMasks(CrossEntropy):
    """A first forward without gradient makes the soft masks that the second one reads, in most rows."""

    rates: ClassVar = {"mixing": 0.01}

    def modules(self, model: Any) -> Mapping[str, nn.Module]:
        return {"mixing": Mixing()}

    def corrupt(self, batch: Batch, model: Any, generator: torch.Generator) -> Corrupted:
        found = masked(batch, model, generator)
        soft_B = torch.rand(len(batch.prompt_B), generator=generator) < 0.8
        return found.reading(found.ids_BK, found.mask_BK, soft_B=soft_B)

    def forward(self, student: Student, batch: Corrupted) -> Prediction:
        with torch.no_grad():
            seen_BKT = student.predict(batch).each(self._seen)
        ids_BKT, share_BKT = seen_BKT[..., : self.settings.top].long(), seen_BKT[..., self.settings.top : -1]
        soft_BKD = (share_BKT[..., None] * student.embed(ids_BKT)).sum(-2)
        weight_BK = student.extra["mixing"](seen_BKT[..., -1])
        weight_BK = weight_BK * batch.mask_BK * batch.draws["soft_B"][:, None]
        plain_BKD = student.embed(batch.ids_BK)
        return student.predict(batch, plain_BKD + weight_BK[..., None] * (soft_BKD - plain_BKD))

    def _seen(self, logits: Tensor) -> Tensor:
        log_p = logits.float().log_softmax(-1)
        top = log_p.topk(self.settings.top, dim=-1)
        entropy = -(log_p.exp() * log_p).sum(-1, keepdim=True)
        return torch.cat((top.indices.float(), top.values.softmax(-1), entropy), dim=-1)


class ManyMasks(CrossEntropy):
    """The mask's embedding plus g(noise), a draw of its own at every position; g is 0 at the start."""

    def modules(self, model: Any) -> Mapping[str, nn.Module]:
        width = self.settings.width
        last = nn.Linear(4 * width, model.config.hidden_size, bias=False)
        nn.init.zeros_(last.weight)
        return {"noise": nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), last)}

    def corrupt(self, batch: Batch, model: Any, generator: torch.Generator) -> Corrupted:
        found = masked(batch, model, generator)
        shape = (*found.mask_BK.shape, self.settings.width)
        draw = torch.rand(shape, generator=generator) * 2 - 1
        return found.reading(found.ids_BK, found.mask_BK, draw_BKW=draw)

    def forward(self, student: Student, batch: Corrupted) -> Prediction:
        added_BKD = student.extra["noise"](batch.draws["draw_BKW"]) * batch.mask_BK[..., None]
        return student.predict(batch, student.embed(batch.ids_BK) + added_BKD)


class GaussianNoise(CrossEntropy):
    """z = s e(x) + sqrt(s) noise at every response position: no mask token, any signal-to-noise ratio s."""

    def corrupt(self, batch: Batch, model: Any, generator: torch.Generator) -> Corrupted:
        clean = laid_out(batch, model)
        noise = torch.randn((*clean.target_BK.shape, model.config.hidden_size), generator=generator)
        ratio = 3 * uniform(clean, generator)
        return clean.reading(clean.ids_BK, clean.response_BK, noise_BKD=noise, ratio_BK=ratio)

    def forward(self, student: Student, batch: Corrupted) -> Prediction:
        clean_BKD, ratio_BK1 = student.embed(batch.ids_BK), batch.draws["ratio_BK"][..., None]
        noisy_BKD = ratio_BK1 * clean_BKD + ratio_BK1.sqrt() * batch.draws["noise_BKD"]
        mixed_BKD = torch.where(batch.mask_BK[..., None], noisy_BKD, clean_BKD)
        return student.predict(batch, mixed_BKD)


class LearnedOrder(Loss):
    """A head on the clean sequence says how early tokens are masked; two draws share its gradient."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def modules(self, model: Any) -> Mapping[str, nn.Module]:
        return {"order": nn.Linear(model.config.hidden_size, 1)}

    def corrupt(self, batch: Batch, model: Any, generator: torch.Generator) -> Corrupted:
        clean = laid_out(batch, model)
        first, second = uniform(clean, generator), uniform(clean, generator)
        time_B = torch.rand(len(batch.prompt_B), generator=generator).clamp(min=0.1)
        draws = {"first_BK": first, "second_BK": second, "time_B": time_B}
        return clean.reading(clean.ids_BK, clean.mask_BK, **draws)

    def forward(self, student: Student, batch: Corrupted) -> dict[str, Tensor]:
        hidden = student.predict(batch, hidden=True).hidden
        assert hidden is not None
        score_BK = student.extra["order"](hidden.states_BKD.detach().float()).squeeze(-1).sigmoid()
        weight_BK = 0.7 + 0.65 * (score_BK - score_BK.mean(-1, keepdim=True))
        log_B1 = batch.draws["time_B"].log()[:, None]
        losses, densities = [], []
        for draw_BK in (batch.draws["first_BK"], batch.draws["second_BK"]):
            chance_BK = (weight_BK * log_B1).exp()  # of being masked at time t: t^w
            mask_BK = (draw_BK < chance_BK) & batch.response_BK
            noisy = batch.reading(noisy_ids(student.model, batch.ids_BK, mask_BK), mask_BK)
            ce_BK = student.predict(noisy).terms(batch.target_BK, ["ce"])["ce"]
            losses.append((weight_BK / batch.draws["time_B"][:, None] * ce_BK * mask_BK).sum(-1))
            log_BK = torch.where(mask_BK, chance_BK, 1 - chance_BK).clamp(min=1e-6).log()
            densities.append((log_BK * batch.response_BK).sum(-1))
        gap_B = (losses[0] - losses[1]).detach()
        return {"main": (losses[0] + losses[1]) / 2, "score": (densities[0] - densities[1]) * gap_B / 2}

    def terms(self, outputs: dict[str, Tensor], batch: Corrupted) -> Mapping[str, Term]:
        return {name: Term(value) for name, value in outputs.items()}


SOFT_MASKS = Objective(
    Settings, SoftMasks, "soft masks from a first forward", cost=lambda settings: Cost(free=1, logit_bytes=4)
)
MANY_MASKS = Objective(Settings, ManyMasks, "a mask of its own at every position")
GAUSSIAN_NOISE = Objective(Settings, GaussianNoise, "Gaussian noise on embeddings")
LEARNED_ORDER = Objective(Settings, LearnedOrder, "a learned order of masks")
