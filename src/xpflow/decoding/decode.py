"""The public `decode`: prompts in, tokens and the NFE that really ran out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from xpflow.decoding.blocks import make_schedule
from xpflow.decoding.candidates import looker
from xpflow.decoding.canvas import ModelFacts, make_canvas, model_facts, prompt_ids
from xpflow.decoding.cost import Cost
from xpflow.decoding.entry import DecodeSettings
from xpflow.decoding.registry import decoder_entry, decoders_that
from xpflow.decoding.stepper import Observer, Run, Setup, Stepper, run_canvas
from xpflow.decoding.trace import Trace, Tracer
from xpflow.decoding.windows import wants_cache
from xpflow.errors import DecodingError
from xpflow.noise import NO_TOKEN, RowRandom, row_seeds


@dataclass(frozen=True, slots=True)
class DecodeResult:
    """tokens: response ids `[B, N]`; cost: what each row took; trace: one per row if asked for."""

    tokens: Tensor
    cost: Cost
    trace: list[Trace] | None = None

    @property
    def nfe(self) -> Tensor:
        """Return the forwards that really ran, `[B]`."""
        return self.cost.passes_B


@torch.no_grad()
def decode(
    model: Any,
    prompts: Sequence[Sequence[int]],
    settings: DecodeSettings,
    policy: Any = None,
    *,
    trace: bool = False,
    candidates: int = 0,
    generator: torch.Generator | None = None,
    seeds: Sequence[int] | None = None,
    recorder: Any = None,
    observer: Observer | None = None,
    progress: Callable[[int], None] | None = None,
) -> DecodeResult:
    """Decode a response for every prompt.

    Args:
        model: masked diffusion model; called as
            model(input_ids= or inputs_embeds=, attention_mask=, logits_positions_BN=).
        prompts: token ids, without padding; lists, or tensors of one dimension.
        settings: from `settings_from(decoder, {...})`.
        policy: for decoders that take one: a policy or its spec; none: the one that the settings name.
        trace: keep what happened at every step and token.
        candidates: a trace keeps so many of the best tokens of every place and step.
        generator: source of the rows' seeds; it matters only where something is drawn.
        seeds: one seed per prompt instead of `generator`: then a row's result does not depend on the others.
        recorder: called with a RecorderStep at every decision of a policy.
        observer: called with a StepRecord after every step.
        progress: called with the number of finished rows after every batch.
    Returns:
        Results in the order of the prompts. Rows are decoded `batch_size` at a time, sorted by prompt length.
    Raises:
        DecodingError: settings, prompts, model and policy do not fit together.
    """
    entry, facts = decoder_entry(settings.decoder), model_facts(model)
    prompts = prompt_ids(prompts, facts, settings.gen_length)
    schedule = make_schedule(settings, facts)
    wants_cache(model, facts, settings)
    if not entry.takes_policy and (policy is not None or recorder is not None):
        able = ", ".join(decoders_that("takes_policy"))
        raise DecodingError(f"decoder {settings.decoder!r} takes no policy", hint=f"these do: {able}")
    if seeds is not None and len(seeds) != len(prompts):
        raise DecodingError(f"{len(seeds)} seeds for {len(prompts)} prompts", hint="give one seed per prompt")
    random = RowRandom(row_seeds(len(prompts), generator) if seeds is None else seeds, facts.device)
    stepper = entry.make(Setup(model, settings, facts, schedule, random, policy, recorder))
    _check_noise(stepper, facts, settings)
    tracer = Tracer(settings, facts, entry.events, prompts, schedule.stops_after_eos) if trace else None
    observers = tuple(hook for hook in (tracer, observer) if hook is not None)
    look = looker(settings, facts, candidates if trace else 0)
    run = Run(model, facts, schedule, stepper, observers, look)
    tokens_BN = torch.full((len(prompts), settings.gen_length), facts.pad_id)
    cost, done = Cost.none(torch.zeros(len(prompts), dtype=torch.long)), 0
    for rows in batches(prompts, settings.batch_size):
        canvas = make_canvas([prompts[row] for row in rows], rows, settings, facts, random)
        if tracer is not None:
            tracer.begin(canvas)
        found_BN, spent = run_canvas(run, canvas)
        tokens_BN[rows] = found_BN.cpu()
        cost.add(torch.tensor(rows), spent.cpu())
        done += len(rows)
        if progress is not None:
            progress(done)
    return DecodeResult(tokens_BN, cost, tracer.finish(tokens_BN, cost.passes_B) if tracer else None)


def batches(prompts: Sequence[Sequence[int]], size: int) -> list[list[int]]:
    """Return the row numbers of every batch in the order in which they are decoded: longest prompts first."""
    order = sorted(range(len(prompts)), key=lambda row: (-len(prompts[row]), row))
    return [order[i : i + size] for i in range(0, len(order), size)]


def _check_noise(stepper: Stepper[Any], facts: ModelFacts, settings: DecodeSettings) -> None:
    """Refuse a decoder over tokens for a model whose noise is no token."""
    start = facts.noise.start(RowRandom([0], facts.device), 0, 1)
    if not stepper.continuous and bool((start == NO_TOKEN).any()):
        raise DecodingError(
            f"decoder {settings.decoder!r} decodes tokens, and this model starts from Gaussian noise",
            hint="choose a decoder over embeddings",
        )
