"""Replaying a trace: the state after any step, derived again and checked against what was recorded.

Of any decoder the tokens follow from predictions and events. Where a state is more than tokens, the decoder
brings a replay of its own (`Decoder.replay`), which derives the rest; without one progress is 1 at tokens
and 0 at noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from xpflow.decoding.registry import decoder_entry
from xpflow.decoding.trace import Array, Trace
from xpflow.errors import DecodingError


@dataclass(frozen=True, slots=True)
class Replayed:
    """The state of one row's response: its tokens and their progress, `[R]`."""

    tokens: Array
    t: Array

    def answer(self) -> Array | None:
        """Return the tokens that the decode gave back if it ended here; None: these do not say."""
        return self.tokens


def states(trace: Trace) -> Iterator[Replayed]:
    """Yield the state before the first step and after every step.

    Raises:
        DecodingError: an event of the next step does not follow from the state.
    """
    own = decoder_entry(trace.head["settings"]["decoder"]).replay
    yield from from_events(trace) if own is None else own(trace)


def from_events(trace: Trace) -> Iterator[Replayed]:
    """Yield the states of hard tokens: predictions where they are written, noise where it is open again."""
    tokens = np.array(trace.head["start"], np.int32)
    yield Replayed(tokens, np.zeros(len(tokens), np.float32))
    for step in range(trace.steps):
        tokens = tokens_after(trace, step, tokens)
        yield Replayed(tokens, (~trace.is_open(tokens)).astype(np.float32))


def tokens_after(trace: Trace, step: int, tokens: Array) -> Array:
    """Return the tokens after a step, from those before it; raises DecodingError for an impossible event."""
    tokens, opened = tokens.copy(), trace.open[step]
    for event in trace.events:
        where = trace.arrays[event.name][step]
        if bool((where & ~opened).any()):
            raise _wrong(step, f"a {event.name} lies outside the open positions")
        if event.effect == "write":
            tokens[where] = trace.prediction[step][where]
        elif event.effect == "open":
            tokens[where] = trace.tokens[step][where]  # which noise it is, was drawn
            if not bool(trace.is_open(tokens[where]).all()):
                raise _wrong(step, f"a {event.name} left a token")
    return tokens


def replay(trace: Trace, steps: int) -> Replayed:
    """Return the state after the first `steps` steps of a trace (0: the start)."""
    if not 0 <= steps <= trace.steps:
        raise DecodingError(f"the trace has {trace.steps} steps, not {steps}", hint="count from 0")
    return next(islice(states(trace), steps, None))


def check(trace: Trace, tolerance: float = 1e-5) -> None:
    """Derive every state again and compare; raises DecodingError naming the first step that fails."""
    tokens = np.array(trace.head["start"], np.int32)
    last = None
    for step, state in enumerate(states(trace), start=-1):
        last = state
        if step < 0:
            continue
        tokens = tokens_after(trace, step, tokens)
        if bool((tokens != trace.tokens[step]).any()) or bool((state.tokens != tokens).any()):
            raise _wrong(step, "the tokens do not follow")
        if bool(np.abs(state.t - trace.t[step]).max() > tolerance):
            raise _wrong(step, "the progress t does not follow")
    _check_answer(trace, last)


def _check_answer(trace: Trace, last: Replayed | None) -> None:
    """Check that a decode's tokens are those of its last state, as far as it was decoded."""
    found = None if last is None else last.answer()
    if found is None:
        return
    answer = np.array(trace.head["tokens"])
    decided = ~trace.is_open(found[: len(answer)])
    reached = np.cumsum(~decided) == 0  # blocks behind an EOS are never decoded, and nothing there counts
    if bool((answer != found[: len(answer)])[reached & _up_to(trace, answer)].any()):
        raise _wrong(trace.steps - 1, "the answer does not follow")


def _up_to(trace: Trace, answer: Array) -> Array:
    """Return the places up to the first filled-up EOS (all, where nothing is filled up)."""
    ends = answer == trace.head["eos_id"]
    return np.cumsum(ends) - ends == 0 if trace.head["stops_after_eos"] else np.ones(len(answer), np.bool_)


def _wrong(step: int, why: str) -> DecodingError:
    return DecodingError(f"trace: {why}, at step {step}", hint="was it edited?")
