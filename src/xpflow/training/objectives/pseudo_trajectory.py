"""Pseudo-trajectory distillation (d3LLM, arXiv 2601.07568): masks as the teacher's own decode left them.

The data are the model's own answers and the order in which it decided their tokens. A window is drawn, what
is left of it is clean and what is right of it masked. Within it a share t of the places is masked: those that
the teacher decided last. The loss is cross-entropy to the answer at these masks, plus a weight times the
entropy of softmax(z / T) at those of them whose argmax is right (as dParallel has it). Two curricula run
linearly over the training: t is uniform between a rising lower end and `ratio_high`, and the window grows.
Source: the abstract, and the public d3llm_llada_train.py for the rest. Share and window are those of other
descriptions (0 to 0.8, 16 to 32); that file's own defaults are 0.2 to 0.8 and a constant 32.

    trajectory: steps   the order that the data holds (selfdata.steps)
                random  an order drawn for each row: the paper's ablation, plain masks under its curricula

Block-causal models: each block of the response is such a window, on its noisy copy, and windows do not grow.

Deviations: t is drawn for each row, not for a batch; at least one place of a window is masked. The public
teacher decides one token a step; where ours decided several in one forward, the left one counts as earlier.
The paper's window grows epoch by epoch; here over the run. The public loss is a quarter of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator

from xpflow.training.corruption import Corrupted, laid_out
from xpflow.training.examples import Batch
from xpflow.training.objective import Cost, Loss, Objective, Term
from xpflow.training.objectives.certainty_forcing import (
    OF_CERTAINTY,
    CertaintySettings,
    Halves,
    certainty_terms,
)
from xpflow.training.states import (
    count_within,
    deciding_keys,
    draw_noise,
    draw_window,
    rank_within,
    state_of,
)
from xpflow.training.student import Student


class PseudoTrajectorySettings(CertaintySettings):
    """Settings of `pseudo_trajectory`."""

    trajectory: Literal["steps", "random"] = Field(
        default="steps", description="Whose order: the teacher's, which the data holds, or a random one"
    )
    ratio_low: float = Field(
        default=0.0, ge=0, le=1, description="Lower end of the share of masks, at the run's start"
    )
    ratio_high: float = Field(default=0.8, gt=0, le=1, description="Its upper end, and the lower one at last")
    window_first: int = Field(
        default=16, ge=0, description="Places of a dense model's window at the start; 0: the response"
    )
    window_last: int = Field(default=32, ge=0, description="And at the end of the run")

    @model_validator(mode="after")
    def _ends_are_ordered(self) -> Self:
        if self.ratio_low > self.ratio_high:
            raise ValueError(f"ratio_low ({self.ratio_low:g}) is above ratio_high ({self.ratio_high:g})")
        if bool(self.window_first) != bool(self.window_last):
            raise ValueError("window_first and window_last are both 0, or none of them is")
        return self


class PseudoTrajectory(Loss):
    """Cross-entropy and certainty at the masks that the teacher decided last."""

    def __init__(self, settings: PseudoTrajectorySettings) -> None:
        self.settings, self.needs_steps = settings, settings.trajectory == "steps"
        self.progress = 0.0

    def begin(self, progress: float) -> None:
        """Move both curricula."""
        self.progress = progress

    @property
    def ratio_low(self) -> float:
        """Return today's lower end of the share of masks."""
        low, high = self.settings.ratio_low, self.settings.ratio_high
        return low + self.progress * (high - low)

    @property
    def window(self) -> int:
        """Return today's length of a window."""
        first, last = self.settings.window_first, self.settings.window_last
        return int(first + self.progress * (last - first))

    def corrupt(self, batch: Batch, model: Any, generator: torch.Generator) -> Corrupted:
        """Return each row at a point of its trajectory; raises ConfigError where the data has none."""
        clean = laid_out(batch, model)
        inside = draw_window(clean, model, self.window, generator)
        keys_BK = deciding_keys(batch, clean, self.settings.trajectory, generator)
        noise_BK = draw_noise(clean, model, generator)
        share_B1 = torch.rand(len(keys_BK), 1, generator=generator)
        ratio_B1 = self.ratio_low + share_B1 * (self.settings.ratio_high - self.ratio_low)
        count_BK = count_within(inside.inside_BK, model)
        kept_BK = torch.minimum(((1 - ratio_B1) * count_BK).long(), count_BK - 1)
        mask_BK = inside.inside_BK & (rank_within(keys_BK, inside.inside_BK, model) >= kept_BK)
        draws = {"noise_BK": noise_BK, "later_BK": inside.later_BK}
        return state_of(clean.reading(clean.target_BK, clean.mask_BK, **draws), mask_BK)

    def forward(self, student: Student, batch: Corrupted) -> Halves:
        """Predict every read position."""
        return [(batch, student.predict(batch))]

    def terms(self, outputs: Halves, batch: Corrupted) -> Mapping[str, Term]:
        """Return cross-entropy and certainty."""
        return certainty_terms(outputs, self.settings)


OBJECTIVE = Objective(
    settings=PseudoTrajectorySettings,
    make=PseudoTrajectory,
    about="masks in the order in which the teacher decided its answer (d3LLM)",
    examples=({}, {"trajectory": "random", "window_first": 2, "window_last": 6, "ratio_low": 0.2}),
    only_with=OF_CERTAINTY,
    cost=lambda settings: Cost(logit_bytes=8 * (settings.certainty_weight > 0)),
)
