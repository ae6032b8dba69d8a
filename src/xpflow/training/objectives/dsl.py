"""DSL-LLaDA: a masked model learns to read tokens in Gaussian noise of any strength (arXiv 2606.01024).

Every response place holds z = s e(x) + sqrt(s) noise with a ratio s of its own (`continuous.snr.SnrLaw`); the
converter (`continuous.converter`) makes of it what the model reads, and the prompt is embedded as usual. The
loss is cross-entropy at all response places. A mask is the corner s = 0, a token s = s_max, and the model is
told no s: unit codes make the posterior free of it.

Deviations: constants of the law are shares of s_max, which is computed from the codes at hand; the paper has
100. Its high-pass residual and its trained codes are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from xpflow.continuous.codes import noisy_code
from xpflow.continuous.converter import Converter
from xpflow.continuous.snr import SnrLaw
from xpflow.noise import noise_of
from xpflow.study.config.base import Block
from xpflow.training.corruption import Corrupted, laid_out
from xpflow.training.examples import Batch
from xpflow.training.objective import Cost, Loss, Objective, Term
from xpflow.training.student import Prediction, Student

LAW = SnrLaw()


class DslSettings(Block):
    """Settings of `dsl`; ratios in units in which s_max is 100."""

    width: int = Field(default=100, gt=1, description="Numbers of a code; the paper's, for 126,464 tokens")
    beta: float = Field(default=1.0, gt=0, description="The converter's beta at first; it is learned")
    any_order: float = Field(
        default=LAW.any_order,
        ge=0,
        le=1,
        description="Share of sequences in which some tokens are nearly seen and the others nearly masked",
    )
    log_mean: float = Field(default=LAW.mean, description="Of log s of a token, elsewhere")
    log_std: float = Field(default=LAW.std, ge=0, description="Of log s of a token, elsewhere")
    cap: float = Field(default=LAW.cap, gt=0, description="Largest s of a token, elsewhere")
    converter_rate: float = Field(
        default=0.0, ge=0, description="Peak learning rate of the converter; 0: the run's"
    )


class Dsl(Loss):
    """Cross-entropy at response places that hold noisy codes."""

    everywhere = True

    def __init__(self, settings: DslSettings) -> None:
        self.settings = settings
        self.law = SnrLaw(settings.any_order, settings.log_mean, settings.log_std, settings.cap)
        self.rates = {"converter": settings.converter_rate} if settings.converter_rate else {}

    def modules(self, model: Any) -> Mapping[str, nn.Module]:
        """Return the converter, made from the model's own embeddings."""
        table_VE = model.get_input_embeddings().weight
        seed = int(torch.randint(2**62, ()))
        found = Converter.fresh(
            table_VE, noise_of(model.config), self.settings.width, seed, self.settings.beta
        )
        return {"converter": found.to(table_VE.device)}

    def corrupt(self, batch: Batch, model: Any, generator: torch.Generator) -> Corrupted:
        """Return clean sequences with s / s_max and the noise of every place; all response places count."""
        clean = laid_out(batch, model)
        ratio_BK = self.law.draw(clean.response_BK, generator)
        noise_BKC = torch.randn(*ratio_BK.shape, self.settings.width, generator=generator)
        draws = {"ratio_BK": ratio_BK, "noise_BKC": noise_BKC}
        return clean.reading(clean.target_BK, clean.response_BK, **draws)

    def forward(self, student: Student, batch: Corrupted) -> Prediction:
        """Predict every response place from the noisy codes of all."""
        return student.predict(batch, read_codes(student, batch))

    def terms(self, outputs: Prediction, batch: Corrupted) -> Mapping[str, Term]:
        """Return the cross-entropy, over the response."""
        return {"ce": Term(outputs.terms(batch.target_BK, ["ce"])["ce"], batch.response_BK)}


def read_codes(student: Student, batch: Corrupted) -> Tensor:
    """Return what the model reads, [B, K, E]: noisy codes in the response, embeddings elsewhere."""
    converter = student.extra["converter"]
    assert isinstance(converter, Converter)
    ratio_BK, noise_BKC = batch.draws["ratio_BK"], batch.draws["noise_BKC"]
    z_BKC = noisy_code(converter.codes, batch.target_BK, ratio_BK * converter.snr_max, noise_BKC)
    plain_BKE = student.embed(batch.ids_BK)
    return torch.where(batch.response_BK[..., None], converter(z_BKC).to(plain_BKE.dtype), plain_BKE)


OBJECTIVE = Objective(
    settings=DslSettings,
    make=Dsl,
    about="tokens in Gaussian noise of any strength, cross-entropy everywhere (DSL-LLaDA)",
    examples=({"width": 8}, {"width": 8, "any_order": 1.0, "converter_rate": 1e-3, "beta": 2.0}),
    cost=lambda settings: Cost(tables=1),
)
