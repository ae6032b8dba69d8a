"""Printing what others wrote: names of files, reasons, answers of models. A line stays one line."""

from __future__ import annotations

import sys

from xpflow.cli.live import harmless


def say(text: str) -> None:
    """Print one line: a sign for each control character, an escape for what cannot be encoded."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    line = harmless(encodable(text), "")
    print(line.encode(encoding, "backslashreplace").decode(encoding))


def encodable(text: str) -> str:
    """Return a text that UTF-8 can hold: bytes of a name that are no UTF-8 become escapes, as \\udcff."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
