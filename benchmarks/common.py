"""What the scripts share: options, random models at full shape, a clock, the machine's measured rates.

Weights are random: speed and memory do not depend on their values (a mixture's routing does: random routers
spread tokens evenly). Nothing is fetched.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from xpflow.models.architectures import ARCHITECTURES
from xpflow.models.checkpoint import read_config
from xpflow.models.llada import LLaDAConfig
from xpflow.models.llada2 import LLaDA2MoeConfig
from xpflow.models.registry import SHIPPED
from xpflow.planning.assumptions import Machine
from xpflow.planning.sizes import ModelSizes, sizes_in
from xpflow.planning.work import Forward

FULL = {"llada-8b-instruct": LLaDAConfig, "llada2.0-mini": LLaDA2MoeConfig}
MICRO = ("llada-micro", "llada2-micro")
DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}


def parser(about: str, **defaults: Any) -> argparse.ArgumentParser:
    """Return a parser with the options that every script has; `defaults` replace theirs."""
    found = argparse.ArgumentParser(description=about, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    found.add_argument("--model", choices=[*FULL, *MICRO], default="llada-8b-instruct")
    found.add_argument("--device", default="cuda", help="cuda, cuda:N or cpu")
    found.add_argument("--dtype", choices=DTYPES, default="bfloat16", help="of the weights")
    found.add_argument("--layers", type=int, help="only so many layers; none: all")
    found.add_argument("--seed", type=int, default=0)
    found.add_argument("--repeats", type=int, default=3, help="runs of which the fastest counts")
    found.add_argument("--out", type=Path, help="file of the result; none: one in benchmarks/results")
    found.set_defaults(**defaults)
    return found


def random_model(options: argparse.Namespace) -> Any:
    """Build the model on its device in its precision, without another copy of it anywhere."""
    config = FULL[options.model]() if options.model in FULL else read_config(SHIPPED / options.model)
    if options.layers:
        name = "n_layers" if config.model_type == "llada" else "num_hidden_layers"
        setattr(config, name, options.layers)
    before = torch.get_default_dtype()
    torch.manual_seed(options.seed)
    try:
        torch.set_default_dtype(DTYPES[options.dtype])
        with torch.device(options.device):
            model = ARCHITECTURES[config.model_type].build(config)
    finally:
        torch.set_default_dtype(before)
    return model.eval().requires_grad_(False)


def sizes(model: Any) -> ModelSizes:
    """Return the sizes of a model, for its floor."""
    return sizes_in(model.config.to_dict())


def random_prompts(model: Any, rows: int, length: int, seed: int) -> list[list[int]]:
    """Return prompts of one length without special tokens' ids."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(10, model.config.vocab_size // 2, (rows, length), generator=generator)
    return [[int(i) for i in row] for row in ids]


def now(device: str) -> float:
    """Return wall seconds, after everything that was started on the device is done."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return time.perf_counter()


def seconds(work: Callable[[], object], device: str, repeats: int) -> float:
    """Return the least wall seconds of `repeats` runs; one run before them warms up."""
    work()
    found = []
    for _ in range(repeats):
        started = now(device)
        work()
        found.append(now(device) - started)
    return min(found)


class TimedForward:
    """A model that notes the time and the shapes of its forwards; on a GPU by its own clock, without waiting.

    `forwards` are those since the last call of `seconds`.
    """

    def __init__(self, model: Any, device: str) -> None:
        self.model, self.config, self.device = model, model.config, device
        self.cuda = device.startswith("cuda")
        self.spans: list[tuple[Any, Any]] = []
        self.forwards: list[Forward] = []

    def __call__(self, **inputs: Any) -> Any:
        started = self._stamp()
        output = self.model(**inputs)
        self.spans.append((started, self._stamp()))
        self.forwards.append(_shape(inputs, self.model))
        return output

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def seconds(self) -> float:
        """Return the seconds inside forwards since the last call of this."""
        spans, self.spans, self.forwards = self.spans, [], []
        if not self.cuda:
            return float(sum(end - start for start, end in spans))
        torch.cuda.synchronize(self.device)
        return sum(start.elapsed_time(end) for start, end in spans) / 1e3

    def _stamp(self) -> Any:
        if not self.cuda:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event


def _shape(inputs: dict[str, Any], model: Any) -> Forward:
    """Return the sizes of a forward that was called with these inputs; a cache knows where its keys end."""
    given = inputs.get("input_ids")
    rows, size = (inputs["inputs_embeds"] if given is None else given).shape[:2]
    places = inputs.get("logits_positions_BN")
    reads = size if places is None else places.shape[1]
    keys = getattr(inputs.get("cache"), "end", size)
    return Forward(rows, size, keys, reads, model.get_input_embeddings().weight.element_size())


def rates(device: str, dtype: torch.dtype, repeats: int = 5) -> dict[str, float]:
    """Measure the machine: FLOP/s of a large matrix product, and bytes/s read and written by a large copy."""
    cuda = device.startswith("cuda")
    size, count = (8192, 1 << 30) if cuda else (1024, 1 << 24)
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    product = seconds(lambda: a @ b, device, repeats)
    source = torch.ones(count, device=device, dtype=torch.uint8)
    target = torch.empty_like(source)
    copy = seconds(lambda: target.copy_(source), device, repeats)
    return {"matmul_flop_per_s": 2 * size**3 / product, "copy_bytes_per_s": 2 * count / copy}


def floor(model: Any, forwards: list[Forward], measured: dict[str, float]) -> dict[str, float]:
    """Return the FLOP of some forwards, and the least seconds that they take at the measured rates.

    Each takes its FLOP at the rate of a matrix product, or its bytes of weights at the bandwidth of a copy.
    """
    arch = sizes(model)
    machine = Machine("measured", measured["matmul_flop_per_s"], measured["copy_bytes_per_s"], 0.0)
    works = [forward.work(arch) for forward in forwards]
    return {"flop": sum(w.flop for w in works), "seconds": sum(w.seconds(machine) for w in works)}
