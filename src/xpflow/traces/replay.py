"""Replaying a trace: the state after any step, derived again from the events and checked against what was
recorded.

Legend: A_v weight of token v in a position's state: x = sum_v A_v e(v) + (1 - t) m, sum_v A_v = t. A is not
stored: it follows from the step sizes, confidences, predictions and events. Covers hard predictions (one
token per x_pred); for soft ones only t is derived.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xpflow.errors import DecodingError
from xpflow.traces.trace import Array, Trace

Mixture = dict[int, float]  # token id -> weight


@dataclass(slots=True)
class Replayed:
    """The state of one row's response: progress t_R, token held_R, and each position's mixture."""

    t: Array
    held: Array
    mixture: list[Mixture]

    def effective_tokens(self) -> Array:
        """Return t^2 / sum A^2 for every position: how many tokens its state mixes (0 where t is 0)."""
        squares = np.array([sum(weight**2 for weight in m.values()) for m in self.mixture])
        effective: Array = np.divide(self.t**2, squares, out=np.zeros_like(squares), where=squares > 0)
        return effective

    def embeddings(self, table_VE: Tensor, mask_id: int) -> Tensor:
        """Return x_RE = sum A e + (1 - t) m."""
        weights_RV = torch.zeros(len(self.t), len(table_VE), dtype=table_VE.dtype)
        for place, mixture in enumerate(self.mixture):
            weights_RV[place, list(mixture)] = torch.tensor(list(mixture.values()), dtype=table_VE.dtype)
        t_R1 = torch.tensor(self.t, dtype=table_VE.dtype)[:, None]
        return weights_RV @ table_VE + (1.0 - t_R1) * table_VE[mask_id]


def states(trace: Trace) -> Iterator[Replayed]:
    """Yield the state before the first step and after every step (one object that changes: copy what you
    keep)."""
    size = trace.arrays["t"].shape[1]
    held = np.full(size, trace.head["mask_id"], np.int32)
    state = Replayed(np.zeros(size, np.float32), held, [{} for _ in range(size)])
    yield state
    for step in range(trace.steps):
        _advance(state, trace, step)
        yield state


def replay(trace: Trace, steps: int) -> Replayed:
    """Return the state after the first `steps` steps of a trace (0: the start)."""
    if not 0 <= steps <= trace.steps:
        raise DecodingError(f"the trace has {trace.steps} steps, not {steps}", hint="count from 0")
    return next(islice(states(trace), steps, None))


def check(trace: Trace, tolerance: float = 1e-5) -> None:
    """Derive every state again and compare; raises DecodingError naming the first step that does not
    follow."""
    for step, state in enumerate(states(trace), start=-1):
        if step >= 0:
            _check_state(state, trace, step, tolerance)
        if step + 1 < trace.steps:
            _check_events(state, trace, step + 1)


def _check_state(state: Replayed, trace: Trace, step: int, tolerance: float) -> None:
    wrong = {
        "t": bool(np.abs(state.t - trace.arrays["t"][step]).max() > tolerance),
        "held token": bool((state.held != trace.arrays["held"][step]).any()),
    }
    if trace.head["settings"].get("prediction", "hard") == "hard":
        mass = np.array([sum(mixture.values()) for mixture in state.mixture])
        wrong["mixture mass"] = bool(np.abs(mass - state.t).max() > tolerance)
    for name, failed in wrong.items():
        if failed:
            raise DecodingError(f"trace: the {name} of step {step} does not follow", hint="was it edited?")


def _advance(state: Replayed, trace: Trace, step: int) -> None:
    settings = trace.head["settings"]
    if settings["decoder"] != "flow":
        _take(state, trace, step, trace.arrays["commit"][step])
        return
    for action in _order(settings):
        action(state, trace, step)
    if settings["near_one"] == "snap":
        near = trace.arrays["open"][step] & (state.t >= settings["commit_below"]) & (state.t < 1.0)
        for place in near.nonzero()[0]:
            state.mixture[place], state.t[place] = {int(state.held[place]): 1.0}, 1.0
    if settings["readout"] == "last_prediction":
        opened = trace.arrays["open"][step]
        state.held[opened] = trace.arrays["argmax"][step][opened]


def _order(settings: dict[str, Any]) -> tuple[Any, ...]:
    return (_edit, _flow, _commit) if settings["update_order"] == "reedit_first" else (_flow, _edit, _commit)


def _flow(state: Replayed, trace: Trace, step: int) -> None:
    """Eq. 5-8 at the tokens that could move."""
    arrays, settings = trace.arrays, trace.head["settings"]
    free = arrays["open"][step] & ((state.t < 1.0) | (settings["at_one"] == "move"))
    if settings["update_order"] == "reedit_first":
        free |= arrays["reedit"][step]
    for place in free.nonzero()[0]:
        a = arrays["a"][step, place]
        mixture = {token: weight * float(1 - a) for token, weight in state.mixture[place].items()}
        token = int(arrays["argmax"][step, place])
        mixture[token] = mixture.get(token, 0.0) + float(a)
        state.mixture[place] = {token: weight for token, weight in mixture.items() if weight > 0}
        state.t[place] = np.float32(1) - (np.float32(1) - a) * (np.float32(1) - state.t[place])
        state.held[place] = token


def _edit(state: Replayed, trace: Trace, step: int) -> None:
    """Eq. 10 where the trace says so."""
    for place in trace.arrays["reedit"][step].nonzero()[0]:
        c, token = trace.arrays["c"][step, place], int(trace.arrays["argmax"][step, place])
        state.mixture[place], state.t[place], state.held[place] = {token: float(c)}, c, token


def _commit(state: Replayed, trace: Trace, step: int) -> None:
    _take(state, trace, step, trace.arrays["commit"][step])


def _take(state: Replayed, trace: Trace, step: int, chosen: Array) -> None:
    """Fix positions at this step's prediction; a predicted mask id leaves a position open."""
    for place in chosen.nonzero()[0]:
        token = int(trace.arrays["argmax"][step, place])
        still_open = token == trace.head["mask_id"] and trace.head["settings"]["decoder"] != "flow"
        state.mixture[place] = {} if still_open else {token: 1.0}
        state.t[place], state.held[place] = float(not still_open), token


def _check_events(state: Replayed, trace: Trace, step: int) -> None:
    """Check that re-edits fired exactly where Eq. 10 says and commits where the rule allows them."""
    settings, arrays = trace.head["settings"], trace.arrays
    if settings["decoder"] != "flow":
        return
    opened, edits, commits = (arrays[name][step] for name in ("open", "reedit", "commit"))
    if settings["update_order"] == "reedit_first" or settings["reedit_t"] == "before":
        t = state.t
    else:
        moved = 1 - (1 - arrays["a"][step]) * (1 - state.t)
        t = np.where(opened & (state.t < 1.0), moved, state.t)
    gap = arrays["c"][step] - t + np.float32(settings["reedit_margin"])
    may = opened & (gap < 0) if settings["reedit"] else np.zeros_like(opened)
    clear = opened & (np.abs(gap) > 1e-5)
    if settings["reedit_committed"] and bool(((may != edits) & clear).any()):
        raise DecodingError(
            f"trace: the re-edits of step {step} do not follow from c and t", hint="was it edited?"
        )
    if commits.sum() > settings["commits_per_step"] * settings["commit"] or bool((commits & ~opened).any()):
        raise DecodingError(f"trace: the commits of step {step} break the rule", hint="was it edited?")
