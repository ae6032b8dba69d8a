"""A trace as the viewer's JSON: texts of tokens, and for every step what changed since the one before.

Columns are lists of steps; a step is a flat list [place, value, place, value, ...] of the places whose value
changed. Tokens, predictions and candidates are places in `texts`, -1 for noise or nothing; shares are whole
percents, -1 for none. So 512 tokens over 512 steps stay a few megabytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from xpflow.budget import budget_text, parse_budget
from xpflow.decoding.candidates import CHANCES, IDS
from xpflow.decoding.registry import decoder_entry
from xpflow.decoding.trace import Array, Trace
from xpflow.errors import DataError

VERSION = 1
TokenText = Callable[[int], str]


def viewer_data(
    trace: Trace,
    token_text: TokenText,
    *,
    special_ids: Sequence[int] = (),
    prompt: str | None = None,
    answer: str | None = None,
    label: str | None = None,
) -> dict[str, Any]:
    """Return what `XpflowViewer.mount` shows of a trace, as plain JSON.

    Args:
        token_text: the text of one token id. special_ids: ids that are shown as a sign, not as their text.
        prompt, answer: texts; none: those of the trace's head, if it has them. label: the heading; none: the
        decoder with its settings.
    Raises:
        DataError: the trace has no steps.
    """
    if not trace.steps:
        raise DataError("the trace has no steps", hint="it was decoded with a budget of none")
    texts = Texts(trace, token_text, set(special_ids))
    columns = {
        "tokens": texts.places(trace.tokens, trace.is_open(trace.tokens)),
        "prediction": texts.places(trace.prediction, ~np.isfinite(trace.c)),
        "t": percents(trace.t),
        "c": percents(trace.c),
        "open": trace.open.astype(int),
        **{f"event:{event.name}": trace.arrays[event.name].astype(int) for event in trace.events},
    }
    head, shown = trace.head, [event for event in trace.events if event.label or event.done]
    return {
        "version": VERSION,
        "label": label or trace_label(trace),
        "decoder_title": decoder_entry(head["settings"]["decoder"]).title,
        "decoder": head["settings"]["decoder"],
        "task": head.get("task_id"),
        "model": head.get("model"),
        "prompt": prompt if prompt is not None else head.get("prompt_text"),
        "answer": answer if answer is not None else head.get("answer"),
        "nfe": head["nfe"],
        "steps": trace.steps,
        "length": trace.tokens.shape[1],
        "asked": len(head["tokens"]),  # places behind it belong to the last block, and to no answer
        "block": trace.block.tolist(),
        "events": [
            {
                "name": event.name,
                "label": event.label or event.done,
                "mark": event.mark,
                "effect": event.effect,
            }
            | {"revises": event.revises}
            for event in shown
        ],
        "columns": {
            name: list(changes(column))
            for name, column in columns.items()
            if not name.startswith("event:") or name.removeprefix("event:") in {one.name for one in shown}
        },
        "candidates": list(_candidates(trace, texts)),
        "texts": texts.texts,
        "special": texts.special,
    }


def trace_label(trace: Trace) -> str:
    """Return the decoder of a trace with the settings that tell it from others, and its budget."""
    settings = trace.head["settings"]
    label = decoder_entry(settings["decoder"]).label([settings], settings.get("policy") or "none")
    return f"{label}, budget {budget_text(parse_budget(settings['budget']))}"


def texts_of(trace: Trace) -> tuple[TokenText, list[int]] | None:
    """Return (token_text, special_ids) of a trace that carries the texts of its tokens, else None."""
    texts = trace.head.get("texts")
    if not isinstance(texts, dict):
        return None
    return (lambda token: str(texts.get(str(token), f"<{token}>"))), list(trace.head.get("special_ids", []))


def ids_of(trace: Trace) -> list[int]:
    """Return every token id that a trace names, ascending: the answer's, predictions, candidates."""
    named = [trace.tokens, trace.prediction, np.array(trace.head["tokens"])]
    named += [trace.arrays[IDS]] if IDS in trace.arrays else []
    ids = np.unique(np.concatenate([array.ravel() for array in named]))
    return [int(token) for token in ids if token >= 0]


class Texts:
    """The texts of the ids of a trace, and ids as places among them."""

    def __init__(self, trace: Trace, token_text: TokenText, special: set[int]) -> None:
        self.ids = np.array(ids_of(trace), np.int64)
        self.texts = [token_text(int(token)) for token in self.ids]
        self.special = [place for place, token in enumerate(self.ids.tolist()) if token in special]

    def places(self, tokens: Array, nothing: Array) -> Array:
        """Return where each id stands in `texts`, -1 where there is nothing or no token."""
        found = np.searchsorted(self.ids, tokens)
        return np.where(nothing | (tokens < 0), -1, found)


def percents(shares: Array) -> Array:
    """Return shares as whole percents, -1 for NaN; one that is not quite 1 is never shown as 100."""
    whole = np.floor(np.nan_to_num(shares, nan=0.0) * 100 + 1e-4)
    return np.where(np.isfinite(shares), whole, -1).astype(int)


def changes(column_LR: Array) -> Iterator[list[int]]:
    """Yield the changes of every step, flat; before the first one every value is 0."""
    before_R = np.zeros_like(column_LR[0])
    for now_R in column_LR:
        places = np.flatnonzero(now_R != before_R)
        yield np.stack([places, now_R[places]], axis=1).ravel().tolist()
        before_R = now_R


def _candidates(trace: Trace, texts: Texts) -> Iterator[list[Any]]:
    """Yield [place, [text, percent, ...], ...] of every step, where it changed."""
    if IDS not in trace.arrays:
        return
    ids_LRC, chances_LRC = trace.arrays[IDS], percents(trace.arrays[CHANCES])
    places_LRC = texts.places(ids_LRC, chances_LRC < 0)
    before_RC = np.full((*places_LRC.shape[1:], 2), -1)
    for places_RC, chances_RC in zip(places_LRC, chances_LRC, strict=True):
        now_RC = np.stack([places_RC, chances_RC], axis=-1)
        where = np.flatnonzero((now_RC != before_RC).any((1, 2)) & (places_RC >= 0).any(-1))
        line: list[Any] = []
        for place in where.tolist():
            line += [place, [int(one) for pair in now_RC[place] if pair[0] >= 0 for one in pair]]
        before_RC[where] = now_RC[where]
        yield line
