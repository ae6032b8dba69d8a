"""The public `decode`: prompts in, tokens and the NFE that really ran out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from xpflow.decoding.blocks import make_schedule
from xpflow.decoding.canvas import Canvas, check_prompts, make_canvas, model_facts
from xpflow.decoding.loop import Run, run_canvas
from xpflow.decoding.noise import RowNoise, row_seeds
from xpflow.decoding.registry import decoder_entry
from xpflow.decoding.settings import DecodeSettings
from xpflow.decoding.stepper import Observer
from xpflow.decoding.windows import wants_cache
from xpflow.errors import DecodingError
from xpflow.traces.trace import Trace, Tracer


@dataclass(frozen=True, slots=True)
class DecodeResult:
    """tokens_BN: response ids; nfe_B: forwards really run for each row; trace: one per row if asked for."""

    tokens: Tensor
    nfe: Tensor
    trace: list[Trace] | None = None


@torch.no_grad()
def decode(
    model: Any,
    prompts: Sequence[Sequence[int]],
    settings: DecodeSettings,
    policy: Any = None,
    *,
    trace: bool = False,
    generator: torch.Generator | None = None,
    seeds: Sequence[int] | None = None,
    recorder: Any = None,
    observer: Observer | None = None,
    progress: Callable[[int], None] | None = None,
) -> DecodeResult:
    """Decode a response for every prompt.

    Args:
        model: masked diffusion model; called as model(input_ids= or inputs_embeds=, attention_mask=,
        logits_positions_BN=). prompts: token ids, without padding.
        settings: from `settings_from(decoder, {...})`.
        policy: step-size policy of the flow decoder, or its spec; none: the one that the settings name.
        trace: keep what happened at every step and token.
        generator: source of the rows' seeds; only decoders with temperature or random remasking draw.
        seeds: one seed per prompt instead of `generator`: then a row's result does not depend on the others.
        recorder: flow only, called with a RecorderStep at every policy decision.
        observer: called with a StepRecord after every step.
        progress: called with the number of finished rows after every batch.
    Returns:
        Results in the order of the prompts. Rows are decoded `batch_size` at a time, sorted by prompt length.
    Raises:
        DecodingError: settings, prompts, model and policy do not fit together.
    """
    entry, facts = decoder_entry(settings.decoder), model_facts(model)
    check_prompts(prompts, facts)
    schedule = make_schedule(settings, facts)
    wants_cache(model, facts, settings)
    if not entry.takes_policy and (policy is not None or recorder is not None):
        raise DecodingError(f"decoder {settings.decoder!r} takes no policy", hint="use the flow decoder")
    if seeds is not None and len(seeds) != len(prompts):
        raise DecodingError(f"{len(seeds)} seeds for {len(prompts)} prompts", hint="give one seed per prompt")
    noise = RowNoise(row_seeds(len(prompts), generator) if seeds is None else seeds, facts.device)
    stepper = entry.make(
        model=model,
        settings=settings,
        facts=facts,
        schedule=schedule,
        noise=noise,
        policy=policy,
        recorder=recorder,
    )
    tracer = Tracer(settings, facts, [list(prompt) for prompt in prompts]) if trace else None
    observers = tuple(hook for hook in (tracer, observer) if hook is not None)
    run = Run(model, facts, schedule, stepper, observers)
    tokens_BN = torch.full((len(prompts), settings.gen_length), facts.pad_id)
    nfe_B = torch.zeros(len(prompts), dtype=torch.long)
    for done, rows in _batches(prompts, settings.batch_size):
        canvas, used_B = run_canvas(run, make_canvas([prompts[row] for row in rows], rows, settings, facts))
        tokens_BN[rows] = _response(run, canvas).cpu()
        nfe_B[rows] = used_B.cpu()
        if progress is not None:
            progress(done)
    return DecodeResult(tokens_BN, nfe_B, tracer.finish(tokens_BN, nfe_B) if tracer else None)


def _batches(prompts: Sequence[Sequence[int]], size: int) -> list[tuple[int, list[int]]]:
    """Return (rows done after this batch, row numbers), longest prompts first."""
    order = sorted(range(len(prompts)), key=lambda row: (-len(prompts[row]), row))
    return [(min(i + size, len(order)), order[i : i + size]) for i in range(0, len(order), size)]


def _response(run: Run, canvas: Canvas) -> Tensor:
    """Return the N response tokens; where a decode stopped after an EOS, everything behind the first one is
    EOS."""
    tokens_BN = canvas.response()
    stops = run.schedule.settings.stop_after_eos
    if not (bool(run.facts.block_length) if stops is None else stops):
        return tokens_BN
    after_BN = (tokens_BN == run.facts.eos_id).cumsum(-1) > 0
    return tokens_BN.masked_fill(after_BN, run.facts.eos_id)
