"""A terminal of some size, in which a command runs: what stands on its screen, at any moment, as text."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pyte

PATIENCE_S = 180.0  # until a screen shows what it must; a busy machine may take long


class Terminal:
    """Runs a command on a pseudo-terminal of some size; use it in a `with`, which ends the command."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        *,
        columns: int = 80,
        rows: int = 40,
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.lock = threading.Lock()
        self.written = b""
        self.ours, theirs = pty.openpty()
        self._set_size(columns, rows)
        sized = {key: value for key, value in environment.items() if key not in ("COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**sized, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join(10)
        os.close(self.ours)

    def lines(self) -> list[str]:
        """Return the lines of the screen as they are now, without blanks at their ends."""
        with self.lock:
            found = [line.rstrip() for line in self.screen.display]
        while found and not found[-1]:
            found.pop()
        return found

    def until(self, wanted: Callable[[list[str]], object]) -> list[str]:
        """Return the lines of the first screen on which `wanted` is true of them."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            lines = self.lines()
            if wanted(lines):
                return lines
            if self.process.poll() is not None:
                self.reader.join(10)
                if wanted(lines := self.lines()):
                    return lines
                break
            time.sleep(0.05)
        raise AssertionError("it never came, the screen is:\n" + "\n".join(self.lines()))

    def resize(self, columns: int, rows: int) -> None:
        """Change the size, as a user who drags the window's corner."""
        with self.lock:
            self.screen.resize(rows, columns)
        self._set_size(columns, rows)

    def finish(self) -> int:
        """Wait for the command's end; returns its exit code."""
        code = self.process.wait(PATIENCE_S)
        self.reader.join(10)
        return code

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self.ours, 65536)
            except OSError:  # the other end is closed
                return
            if not data:
                return
            with self.lock:
                self.written += data
                self.stream.feed(data)
