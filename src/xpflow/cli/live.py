"""A decode as it resolves: colours by progress t on a terminal, one plain line per step elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

MASK, CONTROL = "▒", "␦"
# Progress t from a guess to a fixed token.
SHADES = ("grey46", "red", "orange3", "yellow3", "chartreuse3", "green")


class View:
    """An observer of one row: keeps what the row looks like and hands every step to `show`."""

    def __init__(
        self, length: int, token_text: Callable[[int], str], mask_id: int, show: Callable[[View], None]
    ):
        self.token_text, self.mask_id, self.show = token_text, mask_id, show
        self.t, self.tokens = [0.0] * length, [mask_id] * length
        self.edited, self.committed = [False] * length, [False] * length
        self.step = 0

    def __call__(self, record: Any) -> None:
        self.step += 1
        self.edited = [False] * len(self.t)
        self.committed = [False] * len(self.t)
        for column, place in enumerate(record.info.block.offset_BM[0].tolist()):
            if 0 <= place < len(self.t):
                self.t[place] = float(record.t_BM[0, column])
                self.tokens[place] = int(record.held_BM[0, column])
                self.edited[place] = bool(record.reedit_BM[0, column])
                self.committed[place] = bool(record.commit_BM[0, column])
        self.show(self)

    def pieces(self) -> list[tuple[str, float, bool]]:
        """Return (text, t, re-edited in this step) of every position; a mask shows as a shaded cell."""
        texts = [MASK if token == self.mask_id else harmless(self.token_text(token)) for token in self.tokens]
        return list(zip(texts, self.t, self.edited, strict=True))

    def line(self) -> str:
        """Return the step as one plain line: mean progress, events, text with line ends shown."""
        text = "".join(f"[{piece}]" if edited else piece for piece, _, edited in self.pieces())
        mean = sum(self.t) / len(self.t)
        events = f"{sum(self.committed)} fixed, {sum(self.edited)} re-edited"
        return f"step {self.step:3d}  t {mean:.2f}  {events}  {text}".replace("\n", "⏎")


def harmless(text: str, kept: str = "\n") -> str:
    """Return a text with a sign for each control character that is not kept: a model may write any."""
    return "".join(char if char.isprintable() or char in kept else CONTROL for char in text)


@contextmanager
def live_view(length: int, token_text: Callable[[int], str], mask_id: int) -> Iterator[View]:
    """Yield the observer to pass to `decode`; it draws in place on a terminal and prints lines elsewhere."""
    if not sys.stdout.isatty():
        yield View(length, token_text, mask_id, lambda view: print(view.line(), flush=True))
        return
    from rich.live import Live

    with Live(auto_refresh=False) as live:
        yield View(length, token_text, mask_id, lambda view: live.update(_picture(view), refresh=True))


def _picture(view: View) -> Any:
    from rich.text import Text

    picture = Text()
    for text, t, edited in view.pieces():
        shade = SHADES[min(int(t * len(SHADES)), len(SHADES) - 1)]
        picture.append(text, style=f"{shade} reverse" if edited else shade)
    picture.append(
        f"\n\nstep {view.step}   colour: progress t   reverse: re-edited in this step", style="dim"
    )
    return picture
