"""Replaying flow: the mixture in every position's state, derived again from step sizes and confidences.

Legend: A_v weight of token v in a position's state: x = sum_v A_v e(v) + (1 - t) m, sum_v A_v = t. A is not
stored: it follows from the step sizes, confidences, predictions and events. Covers hard predictions (one
token per x_pred); for soft ones only t is derived.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xpflow.decoding.trace import Array, Trace
from xpflow.errors import DecodingError
from xpflow.traces.replay import Replayed

Mixture = dict[int, float]  # token id -> weight


@dataclass(frozen=True, slots=True)
class FlowReplayed(Replayed):
    """The state of one row's response, with each position's mixture; `final`: its tokens are the answer."""

    mixture: list[Mixture] = field(default_factory=list)
    final: bool = True

    def answer(self) -> Array | None:
        """Return the tokens, unless the readout looks for the nearest embedding."""
        return self.tokens if self.final else None

    def effective_tokens(self) -> Array:
        """Return t^2 / sum A^2 for every position: how many tokens its state mixes (0 where t is 0)."""
        squares = np.array([sum(weight**2 for weight in m.values()) for m in self.mixture])
        effective: Array = np.divide(self.t**2, squares, out=np.zeros_like(squares), where=squares > 0)
        return effective

    def embeddings(self, table_VE: Tensor, m_E: Tensor) -> Tensor:
        """Return x_RE = sum A e + (1 - t) m."""
        weights_RV = torch.zeros(len(self.t), len(table_VE), dtype=table_VE.dtype)
        for place, mixture in enumerate(self.mixture):
            weights_RV[place, list(mixture)] = torch.tensor(list(mixture.values()), dtype=table_VE.dtype)
        t_R1 = torch.tensor(self.t, dtype=table_VE.dtype)[:, None]
        return weights_RV @ table_VE + (1.0 - t_R1) * m_E


def states(trace: Trace) -> Iterator[FlowReplayed]:
    """Yield the state before the first step and after every step, checking each step's events."""
    settings = trace.head["settings"]
    tokens = np.array(trace.head["start"], np.int32)
    mixture: list[Mixture] = [{} for _ in tokens]
    state = FlowReplayed(
        tokens, np.zeros(len(tokens), np.float32), mixture, final=settings["readout"] != "nearest"
    )
    yield state
    for step in range(trace.steps):
        _check_events(state, trace, step)
        state = replace(state, tokens=state.tokens.copy(), t=state.t.copy(), mixture=list(state.mixture))
        _advance(state, trace, step)
        _check_mass(state, trace, step)
        yield state


def _advance(state: FlowReplayed, trace: Trace, step: int) -> None:
    settings = trace.head["settings"]
    first = (_flow, _edit) if settings["update_order"] == "flow_first" else (_edit, _flow)
    for action in (*first, _commit, _revise):
        action(state, trace, step)
    if settings["near_one"] == "snap":
        near = trace.open[step] & (state.t >= settings["commit_below"]) & (state.t < 1.0)
        for place in near.nonzero()[0]:
            state.mixture[place], state.t[place] = {int(state.tokens[place]): 1.0}, 1.0
    read = trace.arrays["read"][step]
    state.tokens[read] = trace.prediction[step][read]


def _flow(state: FlowReplayed, trace: Trace, step: int) -> None:
    """Eq. 5-8 at the tokens that could move."""
    for place in trace.arrays["move"][step].nonzero()[0]:
        a = trace.arrays["a"][step, place]
        mixture = {token: weight * float(1 - a) for token, weight in state.mixture[place].items()}
        token = int(trace.prediction[step, place])
        mixture[token] = mixture.get(token, 0.0) + float(a)
        state.mixture[place] = {token: weight for token, weight in mixture.items() if weight > 0}
        state.t[place] = np.float32(1) - (np.float32(1) - a) * (np.float32(1) - state.t[place])
        state.tokens[place] = token


def _edit(state: FlowReplayed, trace: Trace, step: int) -> None:
    """Eq. 10 where the trace says so."""
    for place in trace.arrays["reedit"][step].nonzero()[0]:
        c, token = trace.c[step, place], int(trace.prediction[step, place])
        state.mixture[place], state.t[place], state.tokens[place] = {token: float(c)}, c, token


def _commit(state: FlowReplayed, trace: Trace, step: int) -> None:
    for place in trace.arrays["commit"][step].nonzero()[0]:
        token = int(trace.prediction[step, place])
        state.mixture[place], state.t[place], state.tokens[place] = {token: 1.0}, 1.0, token


def _revise(state: FlowReplayed, trace: Trace, step: int) -> None:
    """Set tokens back to noise or to another token, where the decoder has such events (`composed_flow`)."""
    if not {"remask", "edit"} <= trace.arrays.keys():
        return
    for place in trace.arrays["remask"][step].nonzero()[0]:
        state.mixture[place], state.t[place] = {}, 0.0
        state.tokens[place] = trace.tokens[step, place]  # which noise it is, was drawn
    for place in trace.arrays["edit"][step].nonzero()[0]:
        token = int(trace.prediction[step, place])
        state.mixture[place], state.t[place], state.tokens[place] = {token: 1.0}, 1.0, token


def _check_mass(state: FlowReplayed, trace: Trace, step: int, tolerance: float = 1e-5) -> None:
    """Check sum_v A_v = t, which holds where every x_pred is one token."""
    if trace.head["settings"]["prediction"] != "hard":
        return
    mass = np.array([sum(mixture.values()) for mixture in state.mixture])
    if bool(np.abs(mass - trace.t[step]).max() > tolerance):
        raise _wrong(f"the mass of the mixtures is not t, at step {step}")


def _check_events(state: FlowReplayed, trace: Trace, step: int) -> None:
    """Check that tokens moved and were re-edited where the rules say, and committed where they may be."""
    settings, arrays = trace.head["settings"], trace.arrays
    moved, edits, commits = (arrays[name][step] for name in ("move", "reedit", "commit"))
    opened = arrays["open"][step] & ~_only_read(trace, step)
    _check_moves(settings, state.t, moved, opened, edits, step)
    if settings["update_order"] == "reedit_first" or settings["reedit_t"] == "before":
        t = state.t
    else:
        t = np.where(moved, 1 - (1 - arrays["a"][step]) * (1 - state.t), state.t)
    gap = arrays["c"][step] - t + np.float32(settings["reedit_margin"])
    may = opened & (gap < 0) if settings["reedit"] else np.zeros_like(opened)
    clear = opened & (np.abs(gap) > 1e-5)
    if settings["reedit_committed"] and bool(((may != edits) & clear).any()):
        raise _wrong(f"the re-edits do not follow from c and t, at step {step}")
    counted = settings.get("rule", "progress") == "progress"
    too_many = commits.sum() > settings["commits_per_step"] * settings["commit"]
    if (counted and too_many) or bool((commits & ~opened).any()):
        raise _wrong(f"the commits break the rule, at step {step}")


def _only_read(trace: Trace, step: int) -> Array:
    """Return where a step is the readout's extra forward: it reads the whole block, and nothing moves."""
    if trace.head["settings"]["readout"] != "extra_forward":
        return np.zeros_like(trace.open[step])
    read: Array = trace.arrays["read"][step]
    return read


def _check_moves(
    settings: dict[str, Any], t: Array, moved: Array, opened: Array, edits: Array, step: int
) -> None:
    free = opened & ((t < 1.0) | (settings["at_one"] == "move"))
    if settings["update_order"] == "reedit_first":
        free = free | edits
    if bool((free != moved).any()):
        raise _wrong(f"other tokens moved than could, at step {step}")


def _wrong(why: str) -> DecodingError:
    return DecodingError(f"trace: {why}", hint="was it edited?")
