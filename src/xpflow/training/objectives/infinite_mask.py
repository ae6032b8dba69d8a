"""Infinite masks: the mask's embedding plus g(noise), a draw of its own at every place (arXiv 2605.10518).

    coupling: none    noise and sentence are independent: the bound's own training, which cannot use the noise
              signs   the sentence is one word, repeated: the cell of the noise (`masking.mask_noise.cell_of`)
              sum     the same, with the other partition
              FILE    sentences and the noise that a model made them from (`masking.couplings`): ReDi

With couplings of any kind the run's own examples only say how many rows an update has. At first g is 0, and
the model is the plain one, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self, cast

import torch
from pydantic import Field, model_validator
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from xpflow.errors import ArtifactError, ConfigError
from xpflow.masking.couplings import Couplings, load_couplings
from xpflow.masking.mask_noise import MaskNoise, NoiseShape, Partition, cell_of
from xpflow.study.config.base import Block
from xpflow.training.corruption import Corrupted, block_length, draw_masks, laid_out, noisy_ids
from xpflow.training.examples import Batch
from xpflow.training.objective import Loss, Objective, Term
from xpflow.training.student import Prediction, Student


class NoiseSettings(Block):
    """What the noise of a mask is."""

    noise: Literal["uniform", "gaussian", "table"] = Field(
        default="uniform", description="U[-1, 1], N(0, 1), or one of `masks` mask tokens"
    )
    width: int = Field(default=16, gt=0, description="Numbers of a place's noise")
    masks: int = Field(default=2, gt=0, description="Of a table; 1: the plain model")
    noise_rate: float = Field(default=0.0, ge=0, description="Peak learning rate of g; 0: the run's")
    noise_from: str = Field(
        default="", description="objective.safetensors of a run whose g this one starts from; empty: g is 0"
    )

    @property
    def shape(self) -> NoiseShape:
        """Return the noise's shape."""
        return NoiseShape(self.noise, self.width, self.masks)


OF_NOISE: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "width": ("noise that is uniform or gaussian", lambda settings: settings.noise != "table"),
    "masks": ("noise: table", lambda settings: settings.noise == "table"),
}


class InfiniteMaskSettings(NoiseSettings):
    """Settings of `infinite_mask`."""

    coupling: str = Field(default="none", description="none, signs, sum, or a file of couplings")
    words: int = Field(default=0, ge=0, description="Words of the language; for signs and sum")

    @model_validator(mode="after")
    def _require_words(self) -> Self:
        if (self.coupling in ("signs", "sum")) != (self.words > 0):
            raise ValueError("words belong to the couplings signs and sum, and to no others")
        return self


class NoisyMasks(Loss):
    """What losses of models with noisy masks share: the noise's module, and asking the student with it."""

    def __init__(self, settings: NoiseSettings) -> None:
        self.shape, self.noise_from = settings.shape, settings.noise_from
        self.rates = {"noise": settings.noise_rate} if settings.noise_rate else {}

    def modules(self, model: Any) -> Mapping[str, nn.Module]:
        """Return g, as another run left it where the settings name one.

        Raises:
            ArtifactError: the file is not there, or is of another g.
        """
        return {"noise": self.noise(model.config.hidden_size)}

    def noise(self, width: int) -> MaskNoise:
        """Return g for a model of a width; raises as `modules` does."""
        found = MaskNoise(self.shape, width)
        if self.noise_from:
            _load(found, Path(self.noise_from))
        return found

    def ask(self, student: Student, batch: Corrupted) -> Prediction:
        """Predict from masks with the noise of the batch, `draws["noise_BKW"]`."""
        added_BKD = student.extra["noise"](batch.draws["noise_BKW"])
        plain_BKD = student.embed(batch.ids_BK)
        return student.predict(batch, torch.where(batch.mask_BK[..., None], plain_BKD + added_BKD, plain_BKD))


class InfiniteMask(NoisyMasks):
    """Cross-entropy at masked places that carry noise."""

    def __init__(self, settings: InfiniteMaskSettings) -> None:
        super().__init__(settings)
        self.settings = settings
        self.couplings: Couplings | None = None
        if settings.coupling not in ("none", "signs", "sum"):
            self.couplings = load_couplings(Path(settings.coupling))

    def modules(self, model: Any) -> Mapping[str, nn.Module]:
        """Return g; raises ConfigError where couplings are of another language than the model's."""
        if self.couplings is not None and int(self.couplings.ids_ML.max()) >= model.config.vocab_size:
            raise ConfigError(
                f"couplings have the id {int(self.couplings.ids_ML.max())}, and the model"
                f" {model.config.vocab_size} words",
                hint="make couplings by a model of the same words",
            )
        return super().modules(model)

    def corrupt(self, batch: Batch, model: Any, generator: torch.Generator) -> Corrupted:
        """Return hard-masked sequences with noise, coupled as the settings say.

        Raises:
            ConfigError: couplings are of another length, or the model is block-causal and reads more places.
        """
        clean = laid_out(batch, model)
        rows, places = clean.target_BK.shape
        target_BK, noise_BKW = self._coupled(clean.target_BK, model, generator)
        clean = replace(clean, target_BK=target_BK)
        mask_BK = draw_masks(clean, model, generator)
        assert noise_BKW.shape[:2] == (rows, places)
        return clean.reading(noisy_ids(model, target_BK, mask_BK, generator), mask_BK, noise_BKW=noise_BKW)

    def _coupled(self, own_BK: Tensor, model: Any, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        rows, places = own_BK.shape
        if self.settings.coupling != "none" and block_length(model):
            raise ConfigError("couplings are of whole sentences", hint="train a dense model")
        if self.couplings is not None:
            if self.couplings.ids_ML.shape[1] != places:
                raise ConfigError(
                    f"couplings have {self.couplings.ids_ML.shape[1]} places, the sentences {places}",
                    hint="make couplings of sentences of this length",
                )
            chosen_B = torch.randint(len(self.couplings.seed_M), (rows,), generator=generator)
            return self.couplings.ids_ML[chosen_B], self.couplings.noise(chosen_B, self.shape)
        noise_BKW = self.shape.draw(rows, places, generator)
        if self.settings.coupling == "none":
            return own_BK, noise_BKW
        word_B = cell_of(noise_BKW, self.settings.words, cast(Partition, self.settings.coupling))
        return word_B[:, None].expand(rows, places).contiguous(), noise_BKW

    def forward(self, student: Student, batch: Corrupted) -> Prediction:
        """Predict every response position."""
        return self.ask(student, batch)

    def terms(self, outputs: Prediction, batch: Corrupted) -> Mapping[str, Term]:
        """Return the cross-entropy, over masked positions."""
        return {"ce": Term(outputs.terms(batch.target_BK, ["ce"])["ce"], batch.mask_BK)}


def _load(noise: MaskNoise, path: Path) -> None:
    try:
        found = {name.removeprefix("noise."): value for name, value in load_file(path).items()}
        noise.load_state_dict(found)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ArtifactError(
            f"{path} holds no g of this shape: {error}"[:400],
            hint="name objective.safetensors of a run with the same noise",
        ) from error


OBJECTIVE = Objective(
    settings=InfiniteMaskSettings,
    make=InfiniteMask,
    about="masks with noise of their own, alone or coupled to sentences (IMDM, ReDi)",
    examples=({}, {"noise": "table", "masks": 3}, {"coupling": "signs", "words": 8}),
    only_with=OF_NOISE,
)
