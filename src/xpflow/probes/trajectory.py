"""Trajectories: where the states of a decode lie, followed by replaying its trace.

Off-mixture distance: how far a state is from the segment between the mask and the final token of its place,
in lengths of that segment. A state that moved towards one token only lies on it (0); one that first moved
elsewhere does not. Only places up to the first EOS of the final answer count. Legend: N response tokens, L
steps, S snaps + 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xpflow.decoding.decoders.flow_replay import FlowReplayed, Mixture, states
from xpflow.decoding.trace import Array, Trace
from xpflow.errors import DecodingError
from xpflow.probes.states import segment_distance
from xpflow.probes.validity import answer_length
from xpflow.stats.calibration import bin_of


@dataclass(frozen=True, slots=True)
class Trajectory:
    """What a decode went through.

    off_S, t_S: mean off-mixture distance and mean t after each snap's steps. off: the mean over all states
    that were read (after no step, one, ..., L - 1). visited: counts of (place in the grid of t, bin of the
    confidence) over all readings of places that were on their way. final_t: mean t at the end; reedits: how
    often a place was set back.
    """

    off_S: list[float]
    t_S: list[float]
    off: float
    visited: dict[tuple[int, int], int]
    final_t: float
    reedits: int


def embedded(mixtures: Sequence[Mixture], t_N: Array, table_VE: Tensor, m_E: Tensor) -> Tensor:
    """Return x = sum_v A_v e(v) + (1 - t) m of some places, `[N, E]` in float64."""
    places = [place for place, mixture in enumerate(mixtures) for _ in mixture]
    ids = [token for mixture in mixtures for token in mixture]
    weights = torch.tensor([a for mixture in mixtures for a in mixture.values()], dtype=torch.float64)
    m_E = m_E.double().cpu()
    x_NE = (1.0 - torch.tensor(t_N, dtype=torch.float64))[:, None] * m_E
    if ids:
        rows_XE = table_VE[torch.tensor(ids, device=table_VE.device)].double().cpu()
        x_NE.index_add_(0, torch.tensor(places), weights[:, None] * rows_XE)
    return x_NE


def follow(
    trace: Trace, table_VE: Tensor, m_E: Tensor, steps_S: Sequence[int], grid: Sequence[float]
) -> Trajectory:
    """Return the trajectory of a trace of flow with hard predictions.

    Args:
        steps_S: after how many steps distances are kept; more than the trace has count as its end.
        grid: values of t, rising; a state counts to the nearest one.
    Raises:
        DecodingError: predictions are soft, so that the trace does not say what a state mixes.
    """
    if trace.head["settings"].get("prediction") != "hard":
        raise DecodingError("only hard predictions can be followed", hint="set flow's prediction to hard")
    final = np.array(trace.head["tokens"])
    count = answer_length(final.tolist(), trace.head["eos_id"])
    end_NE = table_VE[torch.tensor(final[:count], device=table_VE.device)].cpu()
    off_L, t_L = [], []
    for state in states(trace):
        off_L.append(_off(state, count, table_VE, m_E, end_NE))
        t_L.append(float(state.t[:count].mean()))
    last = len(off_L) - 1
    read = off_L[:-1] or off_L
    return Trajectory(
        off_S=[off_L[min(step, last)] for step in steps_S],
        t_S=[t_L[min(step, last)] for step in steps_S],
        off=float(np.mean(read)),
        visited=visited(trace, count, grid),
        final_t=t_L[-1],
        reedits=int(trace.arrays["reedit"][:, :count].sum()) if trace.steps else 0,
    )


def visited(trace: Trace, count: int, grid: Sequence[float]) -> dict[tuple[int, int], int]:
    """Return how often readings of the first `count` places had each (nearest t of the grid, confidence bin).

    Counted are places on their way: open, with t below flow's `commit_below` before the step. A step reads
    the state before it, so t is that of the step before.
    """
    found: Counter[tuple[int, int]] = Counter()
    values, done = np.array(grid), trace.head["settings"]["commit_below"]
    for step in range(trace.steps):
        t_R = trace.t[step - 1] if step else np.zeros_like(trace.t[0])
        able = (trace.open[step] & (t_R < done))[:count]
        t, c = t_R[:count][able], trace.c[step, :count][able]
        nearest = np.abs(t[:, None] - values).argmin(axis=1)
        found.update(zip(nearest.tolist(), bin_of(np.clip(c, 0.0, 1.0)).tolist(), strict=True))
    return dict(found)


def _off(state: FlowReplayed, count: int, table_VE: Tensor, m_E: Tensor, end_NE: Tensor) -> float:
    x_NE = embedded(state.mixture[:count], state.t[:count], table_VE, m_E)
    return float(segment_distance(x_NE, m_E.cpu(), end_NE).mean())


def as_row(one: Trajectory) -> dict[str, Any]:
    """Return a trajectory as a row for JSON, numbers to six digits."""
    return {
        "off": _six(one.off),
        "off_at": [_six(value) for value in one.off_S],
        "t_at": [_six(value) for value in one.t_S],
        "final_t": _six(one.final_t),
        "reedits": one.reedits,
        "visited": [[t, c, n] for (t, c), n in sorted(one.visited.items())],
    }


def _six(value: float) -> float:
    return float(f"{value:.6g}")
