"""What a model writes is shown as one line per step, whatever characters it writes."""

from __future__ import annotations

import numpy as np
import pytest

from xpflow.cli.live import Screen
from xpflow.decoding.entry import Event
from xpflow.traces.view import View

TEXTS = ["a", "\n", "\r", "\x0c", "\x1b[2J", "\u2028", "\t", "b"]
EVENTS = (Event("move", "write"), Event("fix", "write", done="fixed"), Event("undo", "open", done="undone"))


def view_of(tokens: list[int], **events: list[int]) -> View:
    where = {event.name: np.isin(np.arange(len(tokens)), events.get(event.name, [])) for event in EVENTS}
    c = np.full(len(tokens), np.nan)
    return View(3, np.array(tokens), np.linspace(0, 1, len(tokens)), c, where)


def screen(*events: Event) -> Screen:
    return Screen(lambda token: TEXTS[token], lambda token: token < 0, events)


def test_a_step_is_one_line_and_sends_no_control_character() -> None:
    line = screen(*EVENTS).line(view_of([*range(len(TEXTS)), -1]))
    assert line.splitlines() == [line]
    assert line.isprintable()
    assert line.endswith("a⏎␦␦␦[2J␦␦b▒")


@pytest.mark.parametrize(("revises", "shown"), [(True, "a[b]"), (False, "ab")])
def test_a_line_counts_a_decoder_s_own_events_and_brackets_what_is_revised(revises, shown) -> None:
    events = (*EVENTS[:2], Event("undo", "open", done="undone", revises=revises))
    line = screen(*events).line(view_of([0, 7], fix=[0], undo=[1]))
    assert "1 fixed, 1 undone" in line
    assert "move" not in line
    assert line.endswith(shown)
