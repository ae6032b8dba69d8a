"""A trained model of packed rows, to be asked in tokens, and how it is read back from its folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from xpflow.masking.mask_noise import NoiseShape
from xpflow.masking.schedule import make_schedule
from xpflow.masking.subs import subs_log_p
from xpflow.models.load import load_model
from xpflow.runtime.machine import Machine
from xpflow.training.masked_model import MaskedModel
from xpflow.training.objective import make_loss
from xpflow.training.objectives import OBJECTIVES
from xpflow.training.run_folder import CHECKPOINT, load_modules, read_recipe
from xpflow.training.text_run import TextRecipe, schedule_of
from xpflow.training.trainer import prepared

OF_ROWS = ("length",)  # what recipe.json has besides: tokens of a row
FROM_FILES = ("coupling", "words", "noise_from")  # settings of an objective that only training needs


class RowModel(MaskedModel):
    """A student of packed rows, parametrised as MDLM's: SUBS (`masking.subs`)."""

    def log_p(self, hidden_BLD: Tensor, ids_BL: Tensor, open_BL: Tensor) -> Tensor:
        """Return log-probabilities of all tokens but the mask, on the student's device."""
        network = self.student.model
        with torch.no_grad(), self.student.machine.autocast(network):
            logits_BLV = network.get_output_embeddings()(hidden_BLD)
        return subs_log_p(logits_BLV.double(), ids_BL, open_BL, network.config.mask_token_id)


@dataclass(frozen=True, slots=True)
class TrainedRows:
    """A run's model with its tokenizer and recipe; shape: of its masks' noise, None where they are plain."""

    model: RowModel
    tokenizer: PreTrainedTokenizerBase
    recipe: TextRecipe
    length: int
    shape: NoiseShape | None

    def without_order(self) -> RowModel:
        """Return the same weights under the schedule `constant`, whatever order they have learned."""
        return RowModel(self.model.student, make_schedule("constant"), rows=self.model.rows)


def load_rows_model(folder: Path, machine: Machine, rows: int) -> TrainedRows:
    """Return the model of a run's folder, in fp32 weights on the machine's device.

    Args:
        rows: of a forward.

    Raises:
        ArtifactError: the folder has no recipe of such a run. ModelLoadError: its checkpoint cannot be read.
    """
    recipe, about = read_recipe(folder, OF_ROWS)
    length = int(about["length"])
    kept = {key: value for key, value in recipe.settings.items() if key not in FROM_FILES}
    network, tokenizer = load_model(folder / CHECKPOINT)
    student, _ = prepared(network, make_loss(recipe.objective, kept), machine, recipe.seed)
    shape = None
    load_modules(student, folder)
    if "noise" in student.extra:
        shape = OBJECTIVES[recipe.objective].checked(kept, recipe.objective).shape
    student.eval()
    model = RowModel(student, schedule_of(replace(recipe, settings=kept)), rows=rows)
    return TrainedRows(model, tokenizer, recipe, length, shape)
