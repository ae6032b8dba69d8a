"""Pre-training of the micro models on MicroPy: from random weights to a shipped checkpoint.

Resumable by step: the data, the masks and the learning rate of a step depend on nothing but the seed and its
number.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedTokenizerBase

from xpflow.artifacts.io import atomic_writer
from xpflow.errors import ArtifactError
from xpflow.models.tokenizer import train_tokenizer
from xpflow.models.untrained import SpecialIds, architecture_of_micro, micro_config, new_model
from xpflow.problems.micropy.dataset import training_pairs
from xpflow.training.checkpoint import read_state
from xpflow.training.corpus import Corpus, collate
from xpflow.training.objectives import corrupt, masked_cross_entropy

Report = Callable[[dict[str, Any]], None]
TOKENIZER_PAIRS = 20_000  # requests and answers that a tokenizer is trained on


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of a pre-training run; `decay_share` of the steps at the end lower the rate linearly to
    zero."""

    steps: int = 6000
    batch_size: int = 64
    response_length: int = 32
    learning_rate: float = 0.008
    embedding_learning_rate: float = 0.004
    weight_decay: float = 0.01
    warmup_steps: int = 100
    decay_share: float = 0.4
    balance_rate: float = 1e-3
    seed: int = 0
    log_every: int = 50
    checkpoint_every: int = 500
    autocast: bool = True


class Trainer:
    """The state of a run: model, two optimizers, step counter; `run` goes on from wherever the state is."""

    def __init__(self, model: Any, tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> None:
        self.model, self.recipe, self.step = model, recipe, 0
        self.corpus = Corpus(tokenizer, recipe.response_length, seed=recipe.seed)
        self.optimizers = make_optimizers(model, recipe)

    def run(self, report: Report, checkpoint: Path | None = None) -> None:
        """Train to the last step, reporting a row every `log_every` steps and saving every
        `checkpoint_every`."""
        self.model.train()
        started, total, since = time.monotonic(), 0.0, 0
        while self.step < self.recipe.steps:
            total += self.train_step()
            since += 1
            if self.step % self.recipe.log_every == 0 or self.step == self.recipe.steps:
                seconds = time.monotonic() - started
                rate = learning_rate_factor(self.step, self.recipe)
                report({"step": self.step, "loss": total / since, "lr_factor": rate, "seconds": seconds})
                total, since = 0.0, 0
            if checkpoint is not None and self.step % self.recipe.checkpoint_every == 0:
                self.save(checkpoint)
        self.model.eval()

    def train_step(self) -> float:
        """Do one optimizer step and return its loss in nats per masked token."""
        recipe = self.recipe
        generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + self.step)
        canvas, prompts = collate(
            self.corpus.examples(self.step, recipe.batch_size), self.model.config.pad_token_id
        )
        batch = corrupt(self.model.config, canvas, prompts, recipe.response_length, generator)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=recipe.autocast):
            output = self.model(**batch.inputs)
        loss = masked_cross_entropy(output.logits, batch.target_BK, batch.mask_BK)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        factor = learning_rate_factor(self.step, recipe)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if hasattr(self.model, "update_expert_bias"):
            self.model.update_expert_bias(output.router_load, recipe.balance_rate)
        self.step += 1
        return float(loss.detach())

    def save(self, path: Path) -> None:
        """Write the whole training state to one file, atomically."""
        state = {
            "step": self.step,
            "recipe": json.dumps(asdict(self.recipe)),
            "model": self.model.state_dict(),
            "optimizers": [o.state_dict() for o in self.optimizers],
        }
        with atomic_writer(path) as beside:
            torch.save(state, beside)

    def load(self, path: Path) -> None:
        """Continue from a file that `save` wrote; raises ArtifactError if that was with another recipe."""
        state = read_state(path)
        if json.loads(state["recipe"]) != asdict(self.recipe):
            raise ArtifactError(
                f"{path} was made with another recipe", hint=f"remove it to start anew: rm {path}"
            )
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step = int(state["step"])


def learning_rate_factor(step: int, recipe: Recipe) -> float:
    """Return the share of the peak rate at a step: linear warm-up, constant, linear decay to zero."""
    warm = min(1.0, (step + 1) / max(1, recipe.warmup_steps))
    decay_steps = max(1.0, recipe.decay_share * recipe.steps)
    return min(warm, max(0.0, (recipe.steps - step) / decay_steps), 1.0)


def make_optimizers(model: Any, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Return Muon for the hidden matrices and AdamW for embeddings, head, norms and routers."""
    outer = {id(m.weight) for m in (model.get_input_embeddings(), model.get_output_embeddings())}
    is_hidden = {p: p.ndim == 2 and id(p) not in outer for p in model.parameters()}
    hidden, other = ([p for p, inner in is_hidden.items() if inner == wanted] for wanted in (True, False))
    rate, decay = recipe.learning_rate, recipe.weight_decay
    muon = torch.optim.Muon(hidden, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
    adam = torch.optim.AdamW(other, lr=recipe.embedding_learning_rate, betas=(0.9, 0.98), weight_decay=0.0)
    for optimizer, peak in ((muon, rate), (adam, recipe.embedding_learning_rate)):
        optimizer.param_groups[0]["peak"] = peak
    return [muon, adam]


def new_micro_model(name: str, seed: int, vocab_size: int = 1024) -> tuple[Any, PreTrainedTokenizerBase]:
    """Return a micro model with random weights and its tokenizer, trained on the MicroPy training split.

    Raises:
        ConfigError: no micro model of that name.
    """
    kind = architecture_of_micro(name).tokenizer
    texts = kind.training_texts(islice(training_pairs(0), TOKENIZER_PAIRS))
    tokenizer = train_tokenizer(kind, texts, vocab_size)
    tokens = {key: _id_of(tokenizer, token) for key, token in kind.special.items()}
    eot = tokens[kind.end_of_turn]
    ids = SpecialIds(
        mask_token_id=tokens["mask"],
        eos_token_id=tokens["eos"],
        pad_token_id=tokens["eos"],
        bos_token_id=tokens["bos"],
        eot_token_id=eot,
        suppress_token_ids=sorted(i for key, i in tokens.items() if key != "eos" and i != eot),
    )
    return new_model(micro_config(name, len(tokenizer), ids), seed), tokenizer


def _id_of(tokenizer: PreTrainedTokenizerBase, token: str) -> int:
    found = tokenizer.convert_tokens_to_ids(token)
    assert isinstance(found, int), token
    return found
