"""A student to be asked at masks: log-probabilities of words, and the alphas of its schedule.

What log-probabilities are over is up to the kind of text: the words of a world (`text_measure`), or all that
a tokenizer has but the mask (`row_model`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from xpflow.masking.alpha import Alpha
from xpflow.masking.schedule import LearnedSchedule, Schedule
from xpflow.training.student import Student


class MaskedModel(ABC):
    """A student under a schedule.

    schedule: what masks follow. Of a learned one, alphas come from the student's heads. prompt: what stands
    in front of a sentence (`text_run.text_prompt`). rows: sentences of a forward.
    """

    def __init__(
        self, student: Student, schedule: Schedule, prompt: tuple[int, ...] = (), rows: int = 1024
    ) -> None:
        self.student, self.schedule, self.prompt, self.rows = student, schedule, prompt, rows

    @abstractmethod
    def log_p(self, hidden_BLD: Tensor, ids_BL: Tensor, open_BL: Tensor) -> Tensor:
        """Return log p(x_i = v) [B, L, V], float64, from what the output head reads."""

    def denoiser(self, ids_BL: Tensor, open_BL: Tensor) -> Tensor:
        """Return log p(x_i = v | places that are not open), [B, L, V], float64."""
        return self.log_p(self._hidden(self._embedded(ids_BL, open_BL, None)), ids_BL, open_BL)

    def noisy_denoiser(self, ids_BL: Tensor, open_BL: Tensor, noise_BLW: Tensor) -> Tensor:
        """Return the same with masks that carry noise [B, L, numbers]."""
        return self.log_p(self._hidden(self._embedded(ids_BL, open_BL, noise_BLW)), ids_BL, open_BL)

    def forward(self, ids_BL: Tensor) -> Alpha:
        """Return the alphas of the forward process of whole sentences."""
        return self._alpha(ids_BL, torch.zeros_like(ids_BL, dtype=torch.bool), "order")

    def reverse(self, ids_BL: Tensor, open_BL: Tensor) -> Alpha:
        """Return the alphas that sampling decides by."""
        return self._alpha(ids_BL, open_BL, "reverse")

    def predict(self, ids_BL: Tensor, open_BL: Tensor) -> tuple[Tensor, Alpha]:
        """Return log-probabilities and reverse alphas, by one forward."""
        hidden_BLD = self._hidden(self._embedded(ids_BL, open_BL, None))
        log_p_BLV = self.log_p(hidden_BLD, ids_BL, open_BL)
        if isinstance(self.schedule, LearnedSchedule):
            return log_p_BLV, self._scored(self.schedule, hidden_BLD, "reverse")
        return log_p_BLV, self.schedule.alpha(ids_BL, open_BL)

    def _alpha(self, ids_BL: Tensor, open_BL: Tensor, head: str) -> Alpha:
        if not isinstance(self.schedule, LearnedSchedule):
            return self.schedule.alpha(ids_BL, open_BL)
        return self._scored(self.schedule, self._hidden(self._embedded(ids_BL, open_BL, None)), head)

    def _scored(self, schedule: LearnedSchedule, hidden_BLD: Tensor, head: str) -> Alpha:
        with torch.no_grad():
            return schedule.of_scores(self.student.extra[head](hidden_BLD).double().cpu())

    def _embedded(self, ids_BL: Tensor, open_BL: Tensor, noise_BLW: Tensor | None) -> Tensor:
        device = self.student.machine.device
        mask = self.student.model.config.mask_token_id
        with torch.no_grad():
            found_BLD = self.student.embed(ids_BL.masked_fill(open_BL, mask).to(device))
            if noise_BLW is not None:
                added_BLD = self.student.extra["noise"](noise_BLW.to(device))
                found_BLD = torch.where(open_BL.to(device)[..., None], found_BLD + added_BLD, found_BLD)
            front_PD = self.student.embed(torch.tensor(self.prompt, dtype=torch.long, device=device))
        return torch.cat((front_PD.expand(len(ids_BL), -1, -1), found_BLD), dim=1)

    def _hidden(self, embedded_BLD: Tensor) -> Tensor:
        with torch.no_grad(), self.student.machine.autocast(self.student.model):
            parts = [
                self.student.model(inputs_embeds=part_BLD, head=False).hidden
                for part_BLD in torch.split(embedded_BLD, self.rows)
            ]
        return torch.cat(parts)[:, len(self.prompt) :]


@contextmanager
def evaluating(student: Student) -> Iterator[None]:
    """Put a student into evaluation for the time of a measurement."""
    was = student.training
    student.eval()
    try:
        yield
    finally:
        student.train(was)
