"""What decoding costs: against the plain official loop, with a KV cache, and policies beyond their forwards.

All rows of a comparison come from one process, the same model and the same prompts, and are the best of
`repeats` runs, taken in turn so that a busy machine disturbs both sides alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from xpflow.bench.official import official_loop
from xpflow.decoding import DecodeResult, DecodeSettings, LearnedPolicy, decode, settings_from
from xpflow.decoding.decoders import DECODERS
from xpflow.decoding.policies.learned import PolicyShape
from xpflow.decoding.registry import decoder_entry, decoders_that, default_decoder

Prompts = Sequence[Sequence[int]]
# CPU seconds of this process: at one thread the seconds of an idle machine, whatever else runs on it.
CLOCK = time.process_time
REPEATS = 3
GEN_LENGTH = 32
SINGLE_ROWS = 8  # prompts of the measurements at batch 1


@dataclass(frozen=True, slots=True)
class Measurement:
    """One way to decode: CPU seconds (best run), forwards of all rows together, rows, and a note."""

    name: str
    seconds: float
    nfe: int
    rows: int
    note: str = ""

    def to_row(self) -> dict[str, Any]:
        """Return the measurement as a row of a table."""
        return {
            "name": self.name,
            "seconds": round(self.seconds, 4),
            "nfe": self.nfe,
            "nfe_per_s": round(self.nfe / self.seconds, 1),
            "rows": self.rows,
            "note": self.note,
        }


class TimedModel:
    """A model that adds up the time of its forwards."""

    def __init__(self, model: Any) -> None:
        self.model, self.config, self.seconds, self.calls = model, model.config, 0.0, 0
        self.newline_token_ids = getattr(model, "newline_token_ids", ())
        self.objective_file = getattr(model, "objective_file", None)

    def __call__(self, **inputs: Any) -> Any:
        started = CLOCK()
        output = self.model(**inputs)
        self.seconds += CLOCK() - started
        self.calls += 1
        return output

    def get_input_embeddings(self) -> Any:
        """Return the embedding table of the model."""
        return self.model.get_input_embeddings()


def bench_model(name: str, rows: int, batch_size: int, repeats: int = REPEATS) -> Iterator[Measurement]:
    """Yield all measurements of one model.

    Comparison with the official loop (bidirectional models) or with and without a cache (block-causal ones),
    the overhead of policies, every decoder.
    """
    from xpflow.models.load import load_model

    model, tokenizer = load_model(name)
    prompts, length = micropy_prompts(tokenizer, rows), GEN_LENGTH
    if not getattr(model.config, "block_length", None):
        single = compare_with_official(model, prompts[:SINGLE_ROWS], length, 1, repeats)
        batched = compare_with_official(model, prompts, length, batch_size, repeats)
        # Upstream decodes one prompt at a time (its batches of unequal prompts are not faithful).
        ratio = (single[0].seconds / single[0].nfe) / (batched[1].seconds / batched[1].nfe)
        note = f"{batched[1].note}; {ratio:.2f}x as fast as the official loop at batch 1"
        yield from (*single, batched[0], replace(batched[1], note=note))
    else:
        for decoder in DECODERS:
            settings = settings_from(decoder, _quarter(length, batch_size))
            if takes_cache(settings):
                yield compare_with_cache(model, prompts, settings, repeats)
    yield from policy_overhead(model, prompts[:SINGLE_ROWS], length, 1, repeats)
    yield from policy_overhead(model, prompts, length, batch_size, repeats)
    yield from every_decoder(model, prompts, length, batch_size, repeats)


def micropy_prompts(tokenizer: Any, rows: int) -> list[list[int]]:
    """Return the token ids of MicroPy validation problems, both shapes in turn."""
    from xpflow.problems.benchmark import load_benchmark
    from xpflow.protocols.find import find_protocol
    from xpflow.protocols.prompter import Prompter

    half = -(-rows // 2)
    shapes = [load_benchmark(name, "validation", half) for name in ("micropy-he", "micropy-mbpp")]
    problems = [problem for pair in zip(*shapes, strict=True) for problem in pair][:rows]
    prompter = Prompter(find_protocol(), tokenizer)
    return [prompter.encode(problem) for problem in problems]


def compare_with_official(
    model: Any, prompts: Prompts, gen_length: int, batch_size: int, repeats: int = REPEATS
) -> list[Measurement]:
    """Measure the default decoder at full budget, official loop and ours, at one batch size.

    For bidirectional models: the official loop is LLaDA's own mask prediction, which is our default too.
    """
    settings = settings_from(default_decoder(), {"gen_length": gen_length, "batch_size": batch_size})
    expected: list[Tensor] = []

    def official() -> None:
        batches = [prompts[i : i + batch_size] for i in range(0, len(prompts), batch_size)]
        expected[:] = [official_loop(model, batch, gen_length, gen_length, gen_length) for batch in batches]

    result: list[DecodeResult] = []

    def ours() -> None:
        result[:] = [decode(model, prompts, settings)]

    slow, fast = best_of((official, ours), repeats)
    same = int((torch.cat(expected) == result[0].tokens).all(-1).sum())
    nfe = gen_length * len(prompts)
    note = f"{same} of {len(prompts)} rows token-identical, {slow / fast:.2f}x as fast"
    return [
        Measurement(f"official loop, batch {batch_size}", slow, nfe, len(prompts)),
        Measurement(f"{settings.decoder}, batch {batch_size}", fast, nfe, len(prompts), note),
    ]


def policy_overhead(
    model: Any, prompts: Prompts, gen_length: int, batch_size: int, repeats: int = REPEATS
) -> list[Measurement]:
    """Measure what steps cost beyond their forwards with a cheap and with a learned policy."""
    rows = []
    for decoder in decoders_that("takes_policy"):
        settings = settings_from(decoder, _quarter(gen_length, batch_size))
        learned = LearnedPolicy(PolicyShape(action=decoder_entry(decoder).policy_action))
        for name, policy in (("confidence:8", "confidence:8"), ("learned policy", learned)):
            label = f"{decoder} {name}, batch {batch_size}"
            rows.append(_overhead(label, model, prompts, settings, policy, repeats))
    return rows


def _overhead(
    name: str, model: Any, prompts: Prompts, settings: DecodeSettings, policy: Any, repeats: int
) -> Measurement:
    """Measure a decode, best of some runs, and note the share of its steps beyond their forwards."""
    found = [_beyond_forwards(model, prompts, settings, policy) for _ in range(repeats)]
    best, share, nfe = (min(values) for values in zip(*found, strict=True))
    return Measurement(name, best, int(nfe), len(prompts), f"{100 * share:.1f} % beyond the forwards")


def _beyond_forwards(
    model: Any, prompts: Prompts, settings: DecodeSettings, policy: Any
) -> tuple[float, float, int]:
    """Return the seconds of a decode, the share of them beyond its forwards, and its NFE."""
    timed, started = TimedModel(model), CLOCK()
    result = decode(timed, prompts, settings, policy)
    total = CLOCK() - started
    return total, (total - timed.seconds) / timed.seconds, int(result.nfe.sum())


def every_decoder(
    model: Any, prompts: Prompts, gen_length: int, batch_size: int, repeats: int = REPEATS
) -> list[Measurement]:
    """Measure every decoder at a quarter of the budget with its default settings, steps beyond forwards too.

    A decode that is not counted comes before them.
    """
    chosen = [settings_from(name, _quarter(gen_length, batch_size)) for name in DECODERS]
    decode(model, prompts[:batch_size], chosen[0])
    return [
        _overhead(f"{one.decoder} at 1/4, batch {batch_size}", model, prompts, one, None, repeats)
        for one in chosen
    ]


def takes_cache(settings: DecodeSettings) -> bool:
    """Return whether a decoder can be told to keep a cache."""
    return "on" in get_args(type(settings).model_fields["kv_cache"].annotation)


def compare_with_cache(
    model: Any, prompts: Prompts, settings: DecodeSettings, repeats: int = REPEATS
) -> Measurement:
    """Measure decoding with the key-value cache against decoding without it (block-causal models)."""
    results: dict[str, DecodeResult] = {}

    def run(cache: Literal["on", "off"]) -> None:
        results[cache] = decode(model, prompts, settings.model_copy(update={"kv_cache": cache}))

    slow, fast = best_of((lambda: run("off"), lambda: run("on")), repeats)
    same = int((results["on"].tokens == results["off"].tokens).all(-1).sum())
    note = f"{same} of {len(prompts)} rows token-identical, {slow / fast:.2f}x as fast as without a cache"
    nfe = int(results["on"].nfe.sum())
    name = f"{settings.decoder} with KV cache, batch {settings.batch_size}"
    return Measurement(name, fast, nfe, len(prompts), note)


def _quarter(gen_length: int, batch_size: int) -> dict[str, Any]:
    return {"gen_length": gen_length, "batch_size": batch_size, "budget": "1/4"}


def best_of(ways: Sequence[Callable[[], None]], repeats: int) -> list[float]:
    """Return the least seconds of each way, measured in turn; one run of each before is not counted."""
    best = [float("inf")] * len(ways)
    for turn in range(repeats + 1):
        for index, way in enumerate(ways):
            started = CLOCK()
            way()
            if turn:
                best[index] = min(best[index], CLOCK() - started)
    return best
