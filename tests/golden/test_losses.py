"""Training computes what it always did: the loss of every update, the curves, the final weights.

`losses.json` was written by the code before objectives became plug-ins. Where torch, the processor and its
instructions are those that wrote it, everything is compared to the last bit. Elsewhere losses are compared to
1e-6, or to 0.1 where something is rounded to bfloat16 (autocast, or Muon's orthogonalisation): one such
rounding can send a token to another expert. With other instructions of one processor, losses moved by 0.03.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from xpflow.models.load import load_model
from xpflow.models.untrained import new_model
from xpflow.runtime.machine import Machine
from xpflow.study.config.training import FullSettings, LoraSettings, TrainingBlock, TrainingRun
from xpflow.training.corpus import Corpus
from xpflow.training.examples import OwnAnswers
from xpflow.training.pretrain import Recipe, pretrainer
from xpflow.training.trainer import Trainer
from xpflow.training.tuning import tuner

GOLDEN: dict[str, Any] = json.loads(Path(__file__).with_name("losses.json").read_text())
CURVES = ("mse_unmasked", "mse_masked", "ce_masked", "acc_unmasked", "ce_heldout")
SETTINGS = {"paper": {}, "preserving": {"kl_weight": 0.3, "clean_weight": 0.3}}
UPDATES = 4


def environment() -> dict[str, Any]:
    """Return what the last bit depends on."""
    return {
        "torch": torch.__version__,
        "processor": processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
    }


def processor() -> str:
    """Return a processor's name with its family and model, because in virtual machines the name is vague."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor()
    facts = dict(line.split(":", 1) for line in info.read_text().split("\n\n")[0].splitlines())
    facts = {key.strip(): value.strip() for key, value in facts.items()}
    return f"{facts.get('model name')}, family {facts.get('cpu family')}, model {facts.get('model')}"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One thread, and no more examples than are used."""
    monkeypatch.setattr("xpflow.training.corpus.CHUNK", 16)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def new(name: str) -> tuple[Any, Any]:
    """Return a micro model with random weights, and its tokenizer."""
    shipped, tokenizer = load_model(name)
    return new_model(shipped.config, 0).eval(), tokenizer


def sha256(model: Any) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode() + value.detach().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def losses_of(trainer: Trainer) -> list[float]:
    """Return the list that will hold the loss of every update of a trainer."""
    losses, plain = [], trainer.update

    def update(number: int) -> dict[str, torch.Tensor]:
        found = plain(number)
        losses.append(float(found["loss"]))
        return found

    trainer.update = update  # type: ignore[method-assign]
    return losses


def pretraining(name: str, autocast: bool) -> dict[str, Any]:
    model, tokenizer = new(name)
    recipe = Recipe(steps=UPDATES, batch_size=8, warmup_steps=2, log_every=1, autocast=autocast)
    trainer = pretrainer(model, tokenizer, recipe)
    losses = losses_of(trainer)
    rows = trainer.run(lambda row: None)
    assert [row["loss"] for row in rows] == losses
    return {"losses": losses, "weights": sha256(trainer.model(torch.float32))}


def alignment(name: str, variant: str, full: bool, **machine: Any) -> dict[str, Any]:
    model, tokenizer = new(name)
    examples = [one for step in range(3) for one in Corpus(tokenizer, 32, seed=1).examples(step, 8)]
    data = OwnAnswers(examples[:16], examples[16:20], examples[20:])
    block = TrainingBlock(
        full=FullSettings(updates=UPDATES, learning_rate=5e-4, batch_size=6),
        lora=LoraSettings(updates=UPDATES, learning_rate=3e-3, batch_size=6, rank=8),
        warmup_updates=2,
        log_every=2,
    )
    run = TrainingRun(name=variant, objective="x_prediction", settings=SETTINGS[variant])
    trainer = tuner(model, data, block, run, full, 0, machine=Machine(**machine))
    losses = losses_of(trainer)
    rows = trainer.run(lambda row: None)
    return {
        "losses": losses,
        "curves": [[row[key] for key in CURVES] for row in rows],
        "weights": sha256(trainer.model(torch.float32)),
    }


def run(case: str) -> dict[str, Any]:
    """Train what a case names, as in "preserving llada2-micro lora bfloat16"."""
    kind, name, *words = case.split()
    if kind == "pretraining":
        return pretraining(name, "bfloat16" in words)
    machine: dict[str, Any] = {"dtype": torch.bfloat16} if "bfloat16" in words else {}
    machine |= {"micro_batch": 4, "vocab_chunk": 100} if "chunks" in words else {}
    return alignment(name, kind, "full" in words, **machine)


@pytest.mark.parametrize("case", GOLDEN["cases"])
def test_losses_curves_and_weights_are_those_of_the_golden_file(case: str) -> None:
    wanted, found = GOLDEN["cases"][case], run(case)
    losses = [float.fromhex(value) for value in wanted["losses"]]
    curves = [[float.fromhex(value) for value in row] for row in wanted.get("curves", ())]
    if environment() == GOLDEN["environment"]:
        assert found["losses"] == losses
        assert found.get("curves", []) == curves
        assert found["weights"] == wanted["weights"]
    rounded = "bfloat16" in case or case.startswith("pretraining")
    assert found["losses"] == pytest.approx(losses, rel=0.1 if rounded else 1e-6)
