"""What a decoder took back: how many decisions it revised, and how many of them came out the same.

A token that became a mask and returns as itself cost forwards and changed nothing: a flip-flop. In published
re-evaluations these are 75 to 95 % of WINO's remaskings (arXiv 2606.12232). Legend: P rows of the input, S
positions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from xpflow.decoding.entry import Event
from xpflow.decoding.stepper import StepRecord

NONE = -1


class RevisionCounter:
    """An observer of a decode of P rows; `revised`, `remasked` and `flip_flops` are counts, `[P]`."""

    def __init__(self, rows: int, events: Sequence[Event]) -> None:
        self.revising = [event.name for event in events if event.revises]
        self.opening = [event.name for event in events if event.revises and event.effect == "open"]
        self.writing = [event.name for event in events if event.effect == "write" and not event.revises]
        self.revised, self.remasked, self.flip_flops = (torch.zeros(rows, dtype=torch.long) for _ in range(3))
        self._held_PS = torch.full((rows, 0), NONE)  # the tokens after the last step
        self._lost_PS = torch.full((rows, 0), NONE)  # what stood where a mask stands again

    def __call__(self, record: StepRecord) -> None:
        """Count what one step did."""
        place_BM, row_B = record.info.block.positions_BM.cpu(), record.info.rows_B.cpu()
        self._widen(int(place_BM.max()) + 1)
        where, tokens_BM = (row_B[:, None], place_BM), record.tokens_BM.cpu()
        before_BM, lost_BM = self._held_PS[where], self._lost_PS[where]
        opened_BM = self._any(record, self.opening)
        written_BM = self._any(record, self.writing)
        both_BM = opened_BM & written_BM  # committed and taken back in one step
        value_BM = torch.where(both_BM, record.prediction_BM.cpu(), tokens_BM)
        self.revised[row_B] += self._any(record, self.revising).sum(-1)
        self.remasked[row_B] += opened_BM.sum(-1)
        self.flip_flops[row_B] += (written_BM & (lost_BM != NONE) & (lost_BM == value_BM)).sum(-1)
        lost_BM = torch.where(written_BM, NONE, lost_BM)
        self._lost_PS[where] = torch.where(opened_BM, torch.where(both_BM, value_BM, before_BM), lost_BM)
        self._held_PS[where] = tokens_BM

    def columns(self) -> list[dict[str, int]]:
        """Return the counts of every row, by the names of the samples' columns."""
        names = ("revised", "remasked", "flip_flops") if self.opening else ("revised",)
        values = zip(*(getattr(self, name).tolist() for name in names), strict=True)
        return [dict(zip(names, row, strict=True)) for row in values]

    def _any(self, record: StepRecord, names: Sequence[str]) -> Tensor:
        found_BM = torch.zeros(record.tokens_BM.shape, dtype=torch.bool)
        for name in names:
            found_BM |= record.events[name].cpu()
        return found_BM

    def _widen(self, size: int) -> None:
        more = size - self._held_PS.shape[1]
        if more > 0:
            new_PS = torch.full((len(self._held_PS), more), NONE)
            self._held_PS = torch.cat((self._held_PS, new_PS), dim=1)
            self._lost_PS = torch.cat((self._lost_PS, new_PS), dim=1)
