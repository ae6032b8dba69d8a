"""Times, marks and names in few columns, for a terminal of any width and any character set."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TextIO

MINUTE, HOUR = 60, 3600


@dataclass(frozen=True, slots=True)
class Marks:
    """The signs of a list and of a bar."""

    good: str
    bad: str
    full: str
    empty: str
    dot: str
    dots: str
    rule: str


SIGNS = Marks("✓", "✗", "━", "─", "·", "…", "│")
LETTERS = Marks("ok", "FAILED", "#", ".", "-", "...", "|")


def marks_for(stream: TextIO) -> Marks:
    """Return signs where a terminal can show them, and letters in files, pipes and other character sets."""
    return SIGNS if stream.isatty() and holds(stream, "✓✗━─·…│") else LETTERS


def holds(stream: TextIO, text: str) -> bool:
    """Return whether a stream's encoding has all characters of a text."""
    try:
        text.encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def clock(seconds: float) -> str:
    """Return 0:48, 12:05 or 1:02:05."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, HOUR)
    minutes, left = divmod(rest, MINUTE)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def took(seconds: float) -> str:
    """Return 48 s, 11 min 52 s or 2 h 5 min."""
    whole = max(0, round(seconds))
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE} s"
    return f"{whole // HOUR} h {whole % HOUR // MINUTE} min"


def about(seconds: float) -> str:
    """Return a time that is not known better: a few seconds, about 40 s, about 5 min, about 1.5 h."""
    if seconds < 10:
        return "a few seconds"
    if seconds < 1.5 * MINUTE:
        return f"about {round(seconds, -1):.0f} s"
    if seconds < 1.5 * HOUR:
        return f"about {seconds / MINUTE:.0f} min"
    return f"about {seconds / HOUR:.1f} h"


def rate_text(per_second: float) -> str:
    """Return 12.5/s, or 8/min where it is slow."""
    return f"{per_second:.1f}/s" if per_second >= 1 else f"{MINUTE * per_second:.0f}/min"


def cut(text: str, width: int, dots: str = "…") -> str:
    """Return a text in at most `width` columns; what is too long loses its middle."""
    if len(text) <= width:
        return text
    if width <= len(dots):
        return dots[: max(0, width)]
    room = width - len(dots)
    head = (room + 1) // 2
    return text[:head] + dots + text[len(text) - (room - head) :]


def plain(text: str) -> str:
    """Return a text with a question mark for each control character, which could move the cursor."""
    return "".join(char if char.isprintable() else "?" for char in text.expandtabs(4))


def printable(text: str, stream: TextIO | None = None) -> str:
    """Return a text, line by line plain, in characters that a stream has."""
    encoding = getattr(stream or sys.stderr, "encoding", None) or "ascii"
    lines = "\n".join(map(plain, text.splitlines()))
    return lines.encode(encoding, "backslashreplace").decode(encoding)
