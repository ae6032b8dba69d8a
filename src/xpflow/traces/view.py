"""What a viewer needs of a decode, live or from a trace: tokens, progress, confidence, events of every step.

The one reader of steps: terminals and pictures draw `View`s and know nothing else of a decoder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from xpflow.decoding.stepper import StepRecord
from xpflow.decoding.trace import BASE, Array, Columns, Trace, at_start, carried, parts_of
from xpflow.noise import NO_TOKEN


@dataclass(frozen=True, slots=True)
class View:
    """The response of one row after a step (counted from 1): arrays `[R]`, events by name."""

    step: int
    tokens: Array
    t: Array
    c: Array
    events: Mapping[str, Array]


def views(trace: Trace) -> Iterator[View]:
    """Yield what a trace shows after each of its steps."""
    names = [event.name for event in trace.events]
    for index in range(trace.steps):
        yield _view(index + 1, {name: array[index] for name, array in trace.arrays.items()}, names)


class Watcher:
    """An observer of a decode of one row, which hands every step to `show`."""

    def __init__(self, length: int, show: Callable[[View], None]) -> None:
        self.show, self.step = show, 0
        self._now: Columns = at_start([NO_TOKEN] * length)

    def __call__(self, record: StepRecord) -> None:
        [part] = parts_of(record)
        self._now, self.step = carried(self._now, part), self.step + 1
        self.show(_view(self.step, self._now, list(record.events)))


def _view(step: int, columns: Columns, events: list[str]) -> View:
    assert BASE.keys() <= columns.keys()
    return View(step, columns["tokens"], columns["t"], columns["c"], {name: columns[name] for name in events})
