"""x-prediction alignment: clean inputs learn to predict themselves (Eq. 11-12).

The input is an ordinary hard-masked sequence, never a mixed state. With X_pred = softmax(Z) W_in, the paper's
loss is the mean over response tokens, masked and unmasked, of ||X_pred - X0||^2.
Deviation: the variant with `kl_weight` > 0 adds that weight times KL(base || model), averaged over masked
positions, which keeps the masked predictions where pre-training left them instead of sharpening them. Its
`clean_weight` adds cross-entropy at unmasked positions: where a wrong token is certain, the squared error has
no gradient left.
W_in is a constant of the loss (its gradient would pull the embeddings together); for full-parameter training
the table still learns through the model's input.
"""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xpflow.config.alignment import AlignmentBlock, FullSettings, LoraSettings, Variant
from xpflow.errors import DataError
from xpflow.training.checkpoint import TrainingState
from xpflow.training.corpus import Example, collate
from xpflow.training.objectives import Corrupted, corrupt, masked_cross_entropy, row_mean, x_prediction_error

Row = dict[str, Any]
Report = Callable[[Row], None]
LORA_TARGETS = (
    r".*(query_key_value|attention\.dense|shared_experts\.\w+_proj|layers\.0\.mlp\.\w+_proj|lm_head)"
)


@dataclass(frozen=True, slots=True)
class AlignmentData:
    """Self-generated answers to train on, others to watch, and real answers that nothing is trained on."""

    train: list[Example]
    probe: list[Example]
    heldout: list[Example]

    @classmethod
    def from_rows(cls, rows: list[Row]) -> AlignmentData:
        """Sort the rows of a self-alignment file by their kind; raises DataError without any to train on."""
        groups: dict[str, list[Example]] = {"train": [], "probe": [], "heldout": []}
        for row in rows:
            groups[row["kind"]].append(Example(tuple(row["prompt_ids"]), tuple(row["response"])))
        if not groups["train"]:
            raise DataError(
                "the self-alignment data has no row of kind 'train'", hint="make it again: xpflow selfdata"
            )
        return cls(groups["train"], groups["probe"] or groups["train"][:8], groups["heldout"])

    def sha256(self) -> str:
        """Return a hash of all examples."""
        return hashlib.sha256(repr((self.train, self.probe, self.heldout)).encode()).hexdigest()


class Aligner:
    """Aligns one model; `run` trains to the last update and returns the merged model and the log rows."""

    def __init__(
        self, model: Any, data: AlignmentData, block: AlignmentBlock, variant: Variant, full: bool
    ) -> None:
        self.base = model.eval().requires_grad_(False)
        self.data, self.block, self.variant = data, block, variant
        self.settings: FullSettings | LoraSettings = block.full if full else block.lora
        self.config, self.length = model.config, len(data.train[0].response)
        student = copy.deepcopy(model).requires_grad_(True)
        self.student = (
            student if isinstance(self.settings, FullSettings) else _with_adapters(student, self.settings)
        )
        trained = [p for p in self.student.parameters() if p.requires_grad]
        rate = self.settings.learning_rate
        self.reference: dict[str, float] = {}
        self.optimizer = torch.optim.AdamW(
            trained, lr=rate, betas=(0.9, 0.95), weight_decay=block.weight_decay
        )

    def run(
        self, seed: int, report: Report, state: Path | None = None, save_every: int = 50
    ) -> tuple[Any, list[Row]]:
        """Train `updates` steps; data order, masks and rows are functions of seed and step alone, so it
        resumes."""
        if isinstance(self.settings, LoraSettings):
            _reset_adapters(self.student, seed)
        kept = TrainingState(self._guard(seed), self.student, [self.optimizer])
        step, rows = kept.load(state) if state else (0, [])
        while step < self.settings.updates:
            if step % self.block.log_every == 0:
                rows.append(self._watch(step, seed))
                report(rows[-1])
            self._update(step, seed)
            step += 1
            if state and step % save_every == 0:
                kept.save(state, step, rows)
        rows.append(self._watch(step, seed))
        report(rows[-1])
        merged = self.student if isinstance(self.settings, FullSettings) else self.student.merge_and_unload()
        return merged.eval().requires_grad_(False), rows

    def _guard(self, seed: int) -> Row:
        """Return what a saved state must agree with: settings, seed and data."""
        return {
            "block": self.block.model_dump(),
            "variant": self.variant.model_dump(),
            "full": isinstance(self.settings, FullSettings),
            "seed": seed,
            "data_sha256": self.data.sha256(),
        }

    def loss(self, batch: Corrupted) -> Tensor:
        """Return the variant's loss on a batch (scalar)."""
        table_VD = self.student.get_input_embeddings().weight.detach()
        logits = self.student(**batch.inputs).logits
        error_BK = x_prediction_error(logits, batch.target_BK, table_VD)
        loss = row_mean(error_BK, batch.response_BK)
        if self.variant.kl_weight > 0:
            with torch.no_grad():
                reference = self.base(**batch.inputs).logits
            loss = loss + self.variant.kl_weight * _kl(reference, logits, batch.mask_BK)
        if self.variant.clean_weight > 0:
            clean_BK = batch.response_BK & ~batch.mask_BK
            loss = loss + self.variant.clean_weight * masked_cross_entropy(logits, batch.target_BK, clean_BK)
        return loss

    def _update(self, step: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
        size = min(self.settings.batch_size, len(self.data.train))
        chosen = [self.data.train[i] for i in epoch_order(len(self.data.train), seed, step, size)]
        canvas, prompts = collate(chosen, self.config.pad_token_id)
        self.student.train()
        loss = self.loss(corrupt(self.config, canvas, prompts, self.length, generator))
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.student.parameters(), self.block.grad_clip)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * rate_factor(step, self.settings.updates, self.block)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    @torch.no_grad()
    def _watch(self, step: int, seed: int) -> Row:
        """Measure the curves of Figures 2a and 2b, and what they do not show, on fixed masks."""
        self.student.eval()
        own = self._measure(self.student, self.data.probe)
        real = self._measure(self.student, self.data.heldout)
        self.reference = self.reference or self._measure(self.base, self.data.probe)
        return {
            "update": step,
            "seed": seed,
            "variant": self.variant.name,
            "mse_unmasked": own["mse_unmasked"],
            "mse_masked": own["mse_masked"],
            "ce_masked": own["ce_masked"],
            "ce_masked_base": self.reference["ce_masked"],
            "acc_unmasked": own["acc_unmasked"],
            "acc_unmasked_heldout": real.get("acc_unmasked", math.nan),
            "ce_heldout": real.get("ce_masked", math.nan),
        }

    def _measure(self, model: Any, examples: list[Example], repeats: int = 4) -> dict[str, float]:
        """Return means over `repeats` fixed maskings (errors, nats, shares); {} without examples."""
        sums: dict[str, float] = {}
        if not examples:
            return sums
        table_VD = model.get_input_embeddings().weight
        for repeat in range(repeats):
            canvas, prompts = collate(examples, self.config.pad_token_id)
            generator = torch.Generator().manual_seed(repeat)
            batch = corrupt(self.config, canvas, prompts, self.length, generator)
            logits = model(**batch.inputs).logits
            clean_BK = batch.response_BK & ~batch.mask_BK
            error_BK = x_prediction_error(logits, batch.target_BK, table_VD)
            right_BK = (logits.argmax(-1) == batch.target_BK).float()
            found = {
                "mse_unmasked": (error_BK * clean_BK).sum() / clean_BK.sum().clamp(min=1),
                "mse_masked": row_mean(error_BK, batch.mask_BK),
                "ce_masked": masked_cross_entropy(logits, batch.target_BK, batch.mask_BK),
                "acc_unmasked": (right_BK * clean_BK).sum() / clean_BK.sum().clamp(min=1),
            }
            for key, value in found.items():
                sums[key] = sums.get(key, 0.0) + float(value) / repeats
        return sums


def rate_factor(step: int, updates: int, block: AlignmentBlock) -> float:
    """Return the share of the peak rate: linear warm-up, constant, linear decay in the last `decay_share`."""
    warm = (step + 1) / max(1, block.warmup_updates)
    decay = (updates - step) / max(1.0, block.decay_share * updates)
    return min(1.0, warm, decay)


def epoch_order(count: int, seed: int, step: int, size: int) -> list[int]:
    """Return the example numbers of a step: every epoch is a new permutation, cut into batches of `size`."""
    per_epoch = max(1, count // size)
    generator = torch.Generator().manual_seed(seed * 7_919 + step // per_epoch)
    order = torch.randperm(count, generator=generator).tolist()
    start = (step % per_epoch) * size
    return [int(i) for i in order[start : start + size]]


def _kl(reference_BKV: Tensor, logits_BKV: Tensor, mask_BK: Tensor) -> Tensor:
    """Return KL(reference || logits), the mean over rows of the mean over masked positions (nats)."""
    log_p, log_q = reference_BKV.float().log_softmax(-1), logits_BKV.float().log_softmax(-1)
    kl_BK = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)
    return row_mean(kl_BK, mask_BK)


def _with_adapters(model: Any, settings: LoraSettings) -> Any:
    """Wrap a model with LoRA adapters on attention, shared and dense MLPs and head (experts stay as they
    are)."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type]  # any number works
        target_modules=LORA_TARGETS,
        lora_dropout=0.0,
        bias="none",
    )
    return get_peft_model(model.requires_grad_(False), config)


def _reset_adapters(model: nn.Module, seed: int) -> None:
    """Draw the adapters' A matrices from a seed (B starts at zero), without the global random state."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_A" in name:
            bound = parameter.shape[-1] ** -0.5
            with torch.no_grad():
                parameter.copy_((torch.rand(parameter.shape, generator=generator) * 2 - 1) * bound)
