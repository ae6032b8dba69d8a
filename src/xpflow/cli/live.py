"""A decode as it resolves: colours by progress t on a terminal, one plain line per step elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xpflow.decoding.entry import Event
    from xpflow.traces.view import View, Watcher

MASK, CONTROL = "▒", "␦"
# Progress t from a guess to a fixed token.
SHADES = ("grey46", "red", "orange3", "yellow3", "chartreuse3", "green")
Piece = tuple[str, float, bool]


class Screen:
    """Turns what a step shows into text. token_text: of one id; is_open: whether an id is noise."""

    def __init__(
        self, token_text: Callable[[int], str], is_open: Callable[[int], bool], events: Sequence[Event]
    ):
        self.token_text, self.is_open, self.events = token_text, is_open, events

    def pieces(self, view: View) -> list[Piece]:
        """Return (text, t, revised in this step) of every position; noise shows as a shaded cell."""
        revised = [False] * len(view.tokens)
        for event in self.events:
            if event.revises:
                revised = [
                    old or bool(new) for old, new in zip(revised, view.events[event.name], strict=True)
                ]
        texts = [
            MASK if self.is_open(token) else harmless(self.token_text(token))
            for token in view.tokens.tolist()
        ]
        return list(zip(texts, view.t.tolist(), revised, strict=True))

    def line(self, view: View) -> str:
        """Return the step as one plain line: mean progress, events, text with line ends shown."""
        text = "".join(f"[{piece}]" if revised else piece for piece, _, revised in self.pieces(view))
        counts = [f"{int(view.events[event.name].sum())} {event.done}" for event in self.events if event.done]
        line = f"step {view.step:3d}  t {view.t.mean():.2f}  {', '.join(counts)}  {text}"
        return line.replace("\n", "⏎")

    def picture(self, view: View) -> Any:
        """Return the step in colours, for a terminal."""
        from rich.text import Text

        picture = Text()
        for text, t, revised in self.pieces(view):
            shade = SHADES[min(int(t * len(SHADES)), len(SHADES) - 1)]
            picture.append(text, style=f"{shade} reverse" if revised else shade)
        words = [event.done for event in self.events if event.revises]
        about = "".join(f"   reverse: {word} in this step" for word in words)
        picture.append(f"\n\nstep {view.step}   colour: progress t{about}", style="dim")
        return picture


def harmless(text: str, kept: str = "\n") -> str:
    """Return a text with a sign for each control character that is not kept: a model may write any."""
    return "".join(char if char.isprintable() or char in kept else CONTROL for char in text)


@contextmanager
def live_view(length: int, screen: Screen) -> Iterator[Watcher]:
    """Yield the observer to pass to `decode`; it draws in place on a terminal and prints lines elsewhere."""
    from xpflow.traces.view import Watcher

    if not sys.stdout.isatty():
        yield Watcher(length, lambda view: print(screen.line(view), flush=True))
        return
    from rich.live import Live

    with Live(auto_refresh=False) as live:
        yield Watcher(length, lambda view: live.update(screen.picture(view), refresh=True))
