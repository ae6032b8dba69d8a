"""Traces replayed in a terminal, several kept in step by NFE; one plain line for each step elsewhere."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from xpflow.cli.live import Screen, harmless

if TYPE_CHECKING:
    from xpflow.decoding.trace import Trace

PER_SECOND = 6
KEYS = "n next, p back, space play, h start, e end, q quit"
ARROWS = {"\x1b[C": "n", "\x1b[D": "p", "\x1b[H": "h", "\x1b[F": "e", "\x1b[1~": "h", "\x1b[4~": "e"}


class Replay:
    """A trace with its heading and the texts of its tokens, to be shown at any step (0: before the first)."""

    def __init__(self, trace: Trace, text: Callable[[int], str], special: Sequence[int], label: str) -> None:
        from xpflow.noise import NO_TOKEN
        from xpflow.traces.view import views

        hidden, noise = set(special), {NO_TOKEN, *trace.head["noise_ids"]}
        shown = lambda token: "·" if token in hidden else text(token)  # noqa: E731
        self.trace, self.label, self.views = trace, label, list(views(trace))
        self.screen = Screen(shown, lambda token: token in noise, trace.events)

    def lines(self) -> Iterator[str]:
        """Yield one plain line for each step."""
        yield from map(self.screen.line, self.views)

    def picture(self, step: int) -> Any:
        """Return the state after a step in colours; after the last step it stays."""
        from rich.panel import Panel
        from rich.text import Text

        last = len(self.views)
        body = self.screen.picture(self.views[min(step, last) - 1]) if step else Text("nothing decided yet")
        cost = f"{min(step, last)} of {last} forwards" + (", finished" if step >= last else "")
        return Panel(body, title=Text(harmless(self.label)), subtitle=cost)


def replay(replays: Sequence[Replay]) -> None:
    """Show traces: with keys on a terminal, as plain lines elsewhere."""
    if not sys.stdout.isatty():
        for one in replays:
            print(harmless(one.label, ""))
            for line in one.lines():
                print(line)
        return
    from rich.live import Live

    most = max(len(one.views) for one in replays)
    if not (sys.stdin.isatty() and os.name == "posix"):  # nobody can press a key
        with Live(auto_refresh=False) as live:
            live.update(_all(replays, most), refresh=True)
        return
    step, playing = 0, True
    with _keys() as pressed, Live(auto_refresh=False) as live:
        while True:
            live.update(_all(replays, step, f"forward {step} of {most}   {KEYS}"), refresh=True)
            key = pressed(1 / PER_SECOND if playing else None)
            if key in ("q", "\x03", "\x04", ""):
                return
            step, playing = after(key, step, most, playing)


def after(key: str | None, step: int, most: int, playing: bool) -> tuple[int, bool]:
    """Return the step that a key leads to and whether it goes on by itself; None: time has passed."""
    if key is None:
        return min(step + 1, most), playing and step + 1 < most
    if key == " ":
        return (0 if step >= most and not playing else step), not playing
    moves = {"n": step + 1, "p": step - 1, "h": 0, "e": most}
    return min(max(moves.get(key, step), 0), most), playing and key not in moves


def _all(replays: Sequence[Replay], step: int, foot: str = "") -> Any:
    from rich.console import Group
    from rich.text import Text

    return Group(*(one.picture(step) for one in replays), Text(foot, style="dim"))


@contextmanager
def _keys() -> Iterator[Callable[[float | None], str | None]]:
    """Yield what waits for a key: its name, None when the time is over, "" when there are no more."""
    import termios
    import tty

    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)

    def pressed(seconds: float | None) -> str | None:
        if not select.select([number], [], [], seconds)[0]:
            return None
        text = os.read(number, 8).decode("utf-8", "replace")
        return ARROWS.get(text, text[:1])

    tty.setcbreak(number)
    try:
        yield pressed
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)
