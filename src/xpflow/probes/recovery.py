"""Recoverability: a decode of flow is stopped, its soft state made hard, and mask prediction finishes it.

A snap keeps the tokens that a decode has decided and makes the others masks again. Decided are places whose
t is at least a bound, and those of blocks that are over: what the decode has read out. So a snap after the
last step is the decode's own answer, and one before the first step is all masks: the answer of mask
prediction at full budget, which recoverability is held against. Legend: N response tokens, R open places of
a row (N, or to the end of a block-causal model's last block).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xpflow.decoding.blocks import make_schedule
from xpflow.decoding.canvas import make_canvas, model_facts, prompt_ids
from xpflow.decoding.decode import batches
from xpflow.decoding.entry import DecodeSettings
from xpflow.decoding.registry import decoder_entry
from xpflow.decoding.stepper import Run, Setup, run_canvas
from xpflow.decoding.trace import Array, Trace
from xpflow.errors import DecodingError
from xpflow.noise import RowRandom


def snap_steps(steps: int, snaps: int) -> list[int]:
    """Return the steps after which a decode of `steps` steps is snapped: 0, steps/snaps, ..., steps."""
    return [round(number * steps / snaps) for number in range(snaps + 1)]


def decided(trace: Trace, steps: int, least_t: float) -> Array:
    """Return which places are decided after so many steps of a trace, bool `[R]`."""
    if not 0 <= steps <= trace.steps:
        raise DecodingError(f"the trace has {trace.steps} steps, not {steps}", hint="count from 0")
    if steps == 0:
        return np.zeros(len(trace.head["start"]), np.bool_)
    now = trace.open[steps - 1]
    ends = steps == trace.steps or trace.block[steps] != trace.block[steps - 1]
    over: Array = trace.open[:steps].any(axis=0) & (~now | ends)
    found: Array = over | (now & (trace.t[steps - 1] >= least_t))
    return found


def snapped(trace: Trace, steps: int, least_t: float) -> Array:
    """Return the ids of a row after a snap, `[R]`: tokens where decided, else what it started with."""
    start = np.array(trace.head["start"], np.int64)
    if steps == 0:
        return start
    return np.where(decided(trace, steps, least_t), trace.tokens[steps - 1], start)


@torch.no_grad()
def finish(
    model: Any,
    prompts: Sequence[Sequence[int]],
    snaps: Sequence[Array] | None,
    settings: DecodeSettings,
    seeds: Sequence[int],
) -> tuple[Tensor, Tensor]:
    """Finish snapped answers with a decoder over tokens; returns tokens `[B, N]` and the forwards `[B]`.

    Args:
        snaps: ids `[R]` of each row's open places, masks among them; None: all are masks.
        settings: of mask prediction at the budget 1/1, which commits one mask per forward.
        seeds: one per row; they matter only where something is drawn.
    """
    facts = model_facts(model)
    prompts = prompt_ids(prompts, facts, settings.gen_length)
    schedule, random = make_schedule(settings, facts), RowRandom(seeds, facts.device)
    stepper = decoder_entry(settings.decoder).make(Setup(model, settings, facts, schedule, random))
    run = Run(model, facts, schedule, stepper)
    tokens_BN = torch.zeros(len(prompts), settings.gen_length, dtype=torch.long)
    nfe_B = torch.zeros(len(prompts), dtype=torch.long)
    for rows in batches(prompts, settings.batch_size):
        canvas = make_canvas([prompts[row] for row in rows], rows, settings, facts, random)
        tokens_BS = canvas.tokens_BS.clone()
        for index, row in enumerate(rows if snaps is not None else ()):
            assert snaps is not None
            place = slice(int(canvas.start_B[index]), int(canvas.end_B[index]))
            tokens_BS[index, place] = torch.as_tensor(snaps[row]).to(tokens_BS)
        found_BN, cost = run_canvas(run, replace(canvas, tokens_BS=tokens_BS))
        tokens_BN[rows], nfe_B[rows] = found_BN.cpu(), cost.passes_B.cpu()
    return tokens_BN, nfe_B
