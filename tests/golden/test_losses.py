"""Pre-training and alignment compute what they always did: every update's loss, the curves, the final weights.

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

from xpflow.models.micro import new_model
from xpflow.models.registry import load_model
from xpflow.runtime.machine import Machine
from xpflow.study.config.training import AlignmentBlock, FullSettings, LoraSettings, Variant
from xpflow.training.align import Aligner, AlignmentData
from xpflow.training.corpus import Corpus
from xpflow.training.pretrain import Recipe, Trainer

GOLDEN: dict[str, Any] = json.loads(Path(__file__).with_name("losses.json").read_text())
CURVES = ("mse_unmasked", "mse_masked", "ce_masked", "acc_unmasked", "ce_heldout")
WEIGHTS = {"paper": {"kl_weight": 0.0}, "preserving": {"kl_weight": 0.3, "clean_weight": 0.3}}
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


def pretraining(name: str, autocast: bool) -> dict[str, Any]:
    model, tokenizer = new(name)
    recipe = Recipe(steps=UPDATES, batch_size=8, warmup_steps=2, log_every=1, autocast=autocast)
    losses: list[float] = []
    Trainer(model, tokenizer, recipe).run(lambda row: losses.append(row["loss"]))
    return {"losses": losses, "weights": sha256(model)}


def alignment(name: str, variant: str, full: bool, **machine: Any) -> dict[str, Any]:
    model, tokenizer = new(name)
    examples = [one for step in range(3) for one in Corpus(tokenizer, 32, seed=1).examples(step, 8)]
    data = AlignmentData(examples[:16], examples[16:20], examples[20:])
    block = AlignmentBlock(
        full=FullSettings(updates=UPDATES, learning_rate=5e-4, batch_size=6),
        lora=LoraSettings(updates=UPDATES, learning_rate=3e-3, batch_size=6, rank=8),
        warmup_updates=2,
        log_every=2,
    )
    loss = Variant(name=variant, **WEIGHTS[variant])
    aligner = Aligner(model, data, block, loss, full, machine=Machine(**machine))
    parts, plain = [], aligner.loss

    def watched(*arguments: Any) -> Any:
        parts.append(plain(*arguments))
        return parts[-1]

    aligner.loss = watched  # type: ignore[method-assign]
    aligned, rows = aligner.run(0, lambda row: None)
    losses = [float(part.sum()) for part in torch.stack(parts).detach().view(UPDATES, -1)]
    return {
        "losses": losses,
        "curves": [[row[key] for key in CURVES] for row in rows],
        "weights": sha256(aligned),
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
