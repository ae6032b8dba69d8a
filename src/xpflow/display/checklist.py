"""A list of checks: a line with a tick for each as it passes, and what to do for one that fails."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TextIO

from xpflow.display.words import cut, marks_for, printable
from xpflow.errors import ConfigError, XpflowError

NAME = 13  # columns of the longest name


class Checklist:
    """Asks one check after the other and prints what it finds; `notes` come below the list."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.marks = stream, marks_for(stream)
        self.asked = 0
        self.failed: dict[str, XpflowError] = {}
        self.notes: list[str] = []

    def ask(self, name: str, check: Callable[[], str]) -> None:
        """Run a check, which returns what it found in words, or raises an XpflowError."""
        self.asked += 1
        try:
            found = check()
        except XpflowError as error:
            self.failed[name] = error
            self._line(self.marks.bad, name, error.message)
            if error.hint:
                self._print(f"{' ' * (self._mark + NAME + 4)}what to do: {error.hint}")
            return
        self._line(self.marks.good, name, found, whole=False)

    def require(self, where: str) -> None:
        """Print the notes; raises ConfigError if a check failed."""
        for note in dict.fromkeys(self.notes):
            self._print(f"{where}: note: {note}")
        if self.failed:
            raise ConfigError(
                f"{where}: {len(self.failed)} of {self.asked} checks failed: {', '.join(self.failed)}",
                hint=f"what is marked {self.marks.bad} above says what to do",
            ) from next(iter(self.failed.values()))

    @property
    def _mark(self) -> int:
        return max(len(self.marks.good), len(self.marks.bad))

    def _line(self, mark: str, name: str, text: str, whole: bool = True) -> None:
        line = f"  {mark:<{self._mark}} {name:<{NAME}} {text}"
        if self.stream.isatty() and not whole:  # what went well has one line, at any width
            line = cut(line, shutil.get_terminal_size().columns - 1, self.marks.dots)
        self._print(line)

    def _print(self, text: str) -> None:
        print(printable(text, self.stream), file=self.stream, flush=True)
