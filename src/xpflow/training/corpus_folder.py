"""A run on packed rows as files: checkpoint, recipe and log; and what its model makes: texts, couplings."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from xpflow.artifacts.io import atomic_write_text, json_line, sha256_file, write_jsonl
from xpflow.corpora.store import Rows
from xpflow.errors import ConfigError
from xpflow.masking.couplings import Couplings, make_couplings
from xpflow.masking.mask_noise import NoiseShape
from xpflow.masking.noisy_sampling import sample_noisy
from xpflow.masking.reverse import Sampled, sample
from xpflow.models.architectures import ARCHITECTURES
from xpflow.models.checkpoint import save_checkpoint
from xpflow.models.extra import save_extra
from xpflow.models.load import load_model
from xpflow.models.untrained import new_model
from xpflow.runtime.machine import Machine
from xpflow.training.corpus_run import corpus_trainer
from xpflow.training.guard import tokenizer_sha256
from xpflow.training.objective import make_loss
from xpflow.training.row_model import RowModel, TrainedRows
from xpflow.training.run_folder import CHECKPOINT, RECIPE
from xpflow.training.state import remove
from xpflow.training.text_run import TextRecipe
from xpflow.training.trainer import Row

LOG = "log.jsonl"


@dataclass(frozen=True, slots=True)
class Network:
    """A model of rows before any training: its architecture, and fields of its config.json.

    Words, mask and special tokens are the tokenizer's; one without a mask gets it behind its last word.
    """

    architecture: str
    sizes: Mapping[str, Any] = field(default_factory=dict)

    def new(self, tokenizer: PreTrainedTokenizerBase, seed: int) -> PreTrainedModel:
        """Return a model with weights drawn from a seed; raises ConfigError where the sizes do not fit."""
        words, own = len(tokenizer), tokenizer.mask_token_id
        mask = words if own is None else own
        special = {
            "mask_token_id": mask,
            "suppress_token_ids": [mask],
            **{f"{role}_token_id": getattr(tokenizer, f"{role}_token_id") for role in ("bos", "eos", "pad")},
        }
        entry = ARCHITECTURES[self.architecture]
        try:
            config = entry.config(**{**self.sizes, **special, "vocab_size": words + (own is None)})
            return new_model(config, seed)
        except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
            raise ConfigError(
                f"sizes {dict(self.sizes)} make no {self.architecture}: {error}",
                hint="see the fields of its config.json",
            ) from error


def train_rows(
    name: str,
    rows: Rows,
    recipe: TextRecipe,
    network: Network,
    tokenizer: PreTrainedTokenizerBase,
    out: Path,
    machine: Machine,
    code: str = "",
    start: Path | None = None,
) -> None:
    """Train to the end of a recipe, resuming from `out`.state, and write checkpoint, recipe and log.

    Called by every process of a job; the leader writes. With an average the checkpoint is the average.

    Args:
        name: what the rows are called. code: the fingerprint of the stage's code. start: folder of the run
        whose weights this one starts from; they are the reference too, where the objective has one.
    """
    state = out.with_name(out.name + ".state")
    named = {key: Path(value) for key, value in recipe.settings.items() if isinstance(value, str)}
    files = {key: sha256_file(path) for key, path in named.items() if path.is_file()}
    model = network.new(tokenizer, recipe.seed) if start is None else load_model(start / CHECKPOINT)[0]
    base = None
    if start is not None:
        files["start"] = sha256_file(start / CHECKPOINT / "model.safetensors")
    if make_loss(recipe.objective, recipe.settings).needs_reference:
        base = network.new(tokenizer, recipe.seed) if start is None else load_model(start / CHECKPOINT)[0]
    facts = {"code": code, "files": files, "tokenizer": tokenizer_sha256(tokenizer)}
    facts["precision"] = str(machine.dtype)
    trainer = corpus_trainer(rows, recipe, model, base, machine, facts)

    def report(row: Row) -> None:
        shown = " ".join(f"{key} {value:.4f}" for key, value in row.items() if key != "update")
        if machine.team.leads:
            print(f"{name} update {row['update']}/{recipe.updates} {shown}", file=sys.stderr, flush=True)

    log = trainer.run(report, state)
    trained, extra = trainer.model(torch.float32), trainer.held.extra()
    if machine.team.leads:
        out.mkdir(parents=True, exist_ok=True)
        save_checkpoint(trained, tokenizer, out / CHECKPOINT)
        save_extra(extra, recipe.objective, recipe.settings, out / CHECKPOINT)
        write_jsonl(out / LOG, log)
        about = {"world": name, "length": rows.length, **asdict(recipe)}
        atomic_write_text(out / RECIPE, json_line(about).decode())
        remove(state)


def couple_rows(trained: TrainedRows, count: int, steps: int, seed: int = 0) -> Couplings:
    """Make couplings of noise and rows from a run's model (ReDi), some at a time.

    A model without mask noise makes its rows independently of it: the student's noise is that of the seeds.
    """
    model, generator = trained.model, torch.Generator().manual_seed(seed)
    shape = trained.shape or NoiseShape(width=1)

    def denoiser(ids_BL: Tensor, open_BL: Tensor, noise_BLW: Tensor) -> Tensor:
        if trained.shape is None:
            return model.denoiser(ids_BL, open_BL)
        return model.noisy_denoiser(ids_BL, open_BL, noise_BLW)

    parts = [
        make_couplings(denoiser, shape, (size, trained.length), steps, generator)
        for size in _sizes(count, model.rows)
    ]
    return Couplings(torch.cat([one.ids_ML for one in parts]), torch.cat([one.seed_M for one in parts]))


def sampled_rows(
    trained: TrainedRows, count: int, steps: int, seed: int = 0, off: bool = False
) -> list[dict[str, Any]]:
    """Return `count` texts {text, ids, nfe} from nothing but masks, in float64 and at most `steps` steps.

    Places are decided by the model's own schedule, or with `off` without the order that it has learned; noise
    of masks is kept along a text's path.
    """
    model, generator = trained.without_order() if off else trained.model, torch.Generator().manual_seed(seed)
    found = []
    for size in _sizes(count, model.rows):
        drawn = _drawn(model, trained, size, steps, generator)
        for ids, nfe in zip(drawn.ids_BL.tolist(), drawn.nfe_B.tolist(), strict=True):
            found.append({"text": trained.tokenizer.decode(ids), "ids": ids, "nfe": nfe})
    return found


def _drawn(
    model: RowModel, trained: TrainedRows, size: int, steps: int, generator: torch.Generator
) -> Sampled:
    if trained.shape is not None:
        noise_BLW = trained.shape.draw(size, trained.length, generator)
        return sample_noisy(model.noisy_denoiser, noise_BLW, trained.shape, steps, generator)
    fixed = None if model.schedule.learned else model.reverse
    return sample(model.predict, (size, trained.length), steps, generator, fixed)


def _sizes(count: int, most: int) -> Iterator[int]:
    """Yield sizes of at most `most` that sum to a count."""
    yield from (min(most, count - start) for start in range(0, count, most))
