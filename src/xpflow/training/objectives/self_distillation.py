"""Self-distillation through time (SDTT): a large step learns what the teacher says in several small ones.

The teacher is the model as it was before the run, so a round is a run, `dt` doubles from one to the next, and
each starts from the one before it (`from`). The sentence is masked at a uniform t, the teacher takes `steps`
steps of `dt` (`masking.rollout`), and the student is asked once. With `infinite: true` masks carry noise, the
same for teacher and student; `noise_from` names the file with the teacher's g (objective.safetensors of the
round before), which the student starts from. Without it the teacher's masks are plain.

    divergence: backward  KL(student || teacher), which can settle on few of the teacher's words
                forward   KL(teacher || student)

Deviation: no moving average of the weights is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from xpflow.masking.mask_noise import MaskNoise
from xpflow.masking.rollout import rollout_targets
from xpflow.training.corruption import Corrupted, laid_out, noisy_ids
from xpflow.training.examples import Batch
from xpflow.training.objective import Cost, Objective, Term
from xpflow.training.objectives.infinite_mask import OF_NOISE, NoiseSettings, NoisyMasks
from xpflow.training.student import Student


class DistillationSettings(NoiseSettings):
    """Settings of `self_distillation`."""

    dt: float = Field(default=1 / 1024, gt=0, le=1, description="Length of a step of the teacher, of time 1")
    steps: int = Field(default=2, gt=0, description="Steps of the teacher for one of the student")
    divergence: Literal["backward", "forward"] = Field(
        default="backward", description="Which way KL is taken"
    )
    infinite: bool = Field(default=True, description="Masks carry noise; false: the plain model")


class SelfDistillation(NoisyMasks):
    """KL between one step of the student and several of the teacher, at masked places."""

    needs_reference = True

    def __init__(self, settings: DistillationSettings) -> None:
        super().__init__(settings)
        self.settings = settings
        self.teacher: MaskNoise | None = None

    def modules(self, model: Any) -> Mapping[str, nn.Module]:
        """Return g; the teacher has that of the run before, where the settings name it."""
        if not self.settings.infinite:
            return {}
        if self.noise_from:
            self.teacher = self.noise(model.config.hidden_size).requires_grad_(False)
        return super().modules(model)

    def corrupt(self, batch: Batch, model: Any, generator: torch.Generator) -> Corrupted:
        """Return sequences masked at a uniform t (one mask at least), and all that a rollout draws."""
        clean = laid_out(batch, model)
        rows, places = clean.target_BK.shape
        t_B = torch.rand(rows, generator=generator, dtype=torch.float64)
        coin_BK = torch.rand(rows, places, generator=generator).masked_fill(~clean.response_BK, 2.0)
        first_BK = coin_BK == coin_BK.min(-1, keepdim=True).values
        mask_BK = (coin_BK < t_B[:, None]) | first_BK
        draws = {
            "noise_BKW": self.shape.draw(rows, places, generator),
            "time_B": t_B,
            "roll_BKNU": torch.rand(rows, places, self.settings.steps, 2, generator=generator),
        }
        return clean.reading(noisy_ids(model, clean.target_BK, mask_BK, generator), mask_BK, **draws)

    def forward(self, student: Student, batch: Corrupted) -> Tensor:
        """Return the divergence at every place, [B, K]."""
        hidden = list(student.model.config.suppress_token_ids or ())

        def teacher(ids_BK: Tensor, open_BK: Tensor) -> Tensor:
            noisy = batch.reading(noisy_ids(student.model, ids_BK, open_BK), open_BK)
            found = student.reference(self._taught(student, noisy))
            return found.each(lambda logits: _words(logits, hidden))

        with torch.no_grad():
            target_BKV = rollout_targets(
                teacher,
                batch.ids_BK,
                batch.mask_BK,
                batch.draws["time_B"],
                self.settings.dt,
                batch.draws["roll_BKNU"],
            )
        asked = self.ask(student, batch) if self.settings.infinite else student.predict(batch)
        backward = self.settings.divergence == "backward"

        def divergence(logits: Tensor, target: Tensor) -> Tensor:
            log_p, log_q = (_words(logits, hidden), target) if backward else (target, _words(logits, hidden))
            difference = torch.where(log_p.isinf(), 0.0, log_p - log_q)
            return (log_p.exp() * difference).sum(-1)

        return asked.each(divergence, target_BKV)

    def _taught(self, student: Student, noisy: Corrupted) -> Corrupted:
        """Return what the teacher reads: ids, or embeddings with its noise in them."""
        if self.teacher is None:
            return noisy
        teacher = self.teacher.to(noisy.mask_BK.device)
        base = student.base if student.base is not None else student.model
        inputs = dict(noisy.inputs)
        ids_BS, places_BK = inputs.pop("input_ids"), inputs["logits_positions_BN"]
        embedded_BSD = base.get_input_embeddings()(ids_BS)
        added_BKD = teacher(noisy.draws["noise_BKW"]) * noisy.mask_BK[..., None]
        index_BKD = places_BK[..., None].expand_as(added_BKD)
        embedded_BSD = embedded_BSD.scatter_add(1, index_BKD, added_BKD.to(embedded_BSD.dtype))
        return replace(noisy, inputs={**inputs, "inputs_embeds": embedded_BSD})

    def terms(self, outputs: Tensor, batch: Corrupted) -> Mapping[str, Term]:
        """Return the divergence, over masked positions."""
        return {"kl": Term(outputs, batch.mask_BK)}


def _words(logits: Tensor, hidden: list[int]) -> Tensor:
    """Return log-probabilities without the tokens that are never an answer."""
    logits = logits.float()
    mask = torch.zeros(logits.shape[-1], dtype=torch.bool, device=logits.device)
    mask[hidden] = True
    return logits.masked_fill(mask, -torch.inf).log_softmax(-1)


def _infinite_and(used: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return what says whether a setting of the noise is used: masks carry noise, and `used` holds."""
    return lambda settings: settings.infinite and used(settings)


OBJECTIVE = Objective(
    settings=DistillationSettings,
    make=SelfDistillation,
    about="one step learns several of the model as it was (SDTT), with plain or noisy masks",
    examples=({"dt": 0.25}, {"dt": 0.25, "infinite": False, "divergence": "forward"}),
    only_with={
        **{
            name: (f"infinite: true, and {words}", _infinite_and(used))
            for name, (words, used) in OF_NOISE.items()
        },
        **dict.fromkeys(
            ("noise", "noise_rate", "noise_from"), ("infinite: true", lambda settings: settings.infinite)
        ),
    },
    cost=lambda settings: Cost(free=settings.steps, reference=True, logit_bytes=16),
)
