"""What became of each program, on disk as it comes: a grading that was stopped resumes from it.

A file of JSON lines that grows by one line for each program whose verdict is settled. Its first line says
what all of them depend on besides the program and its tests; a journal of anything else is begun again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from xpflow.artifacts.io import explained, json_line

ENDING = ".part"


class Journal:
    """A context manager: the outcomes of programs by a hash of program and tests.

    Args:
        path: the file; it is made at once: a place that cannot be written to is known before the work.
        about: what the outcomes depend on: jail, limits, code.
    Raises:
        ArtifactError: the file cannot be written.
    """

    def __init__(self, path: str | Path, about: Mapping[str, Any]) -> None:
        self.path = Path(path)
        head = json_line({"about": about})
        self._known = self._read(head)
        with explained(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            if not self._known:
                os.ftruncate(self._descriptor, 0)
                self._append(head)

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the outcome of a program, if it is known."""
        return self._known.get(key)

    def add(self, key: str, outcome: Mapping[str, Any]) -> None:
        """Keep an outcome."""
        self._known[key] = dict(outcome)
        with explained(self.path):
            self._append(json_line({"key": key, "outcome": outcome}))

    def finish(self) -> None:
        """Remove the file: what it held stands in the verdicts."""
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; one that holds no outcome is removed."""
        with suppress(OSError):
            os.close(self._descriptor)
        if not self._known:
            self.finish()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, head: bytes) -> dict[str, dict[str, Any]]:
        """Return what an earlier grading under the same conditions left; half a line is none."""
        found: dict[str, dict[str, Any]] = {}
        try:
            lines = self.path.read_bytes().split(b"\n")
        except OSError:
            return found
        if lines[0] + b"\n" != head:
            return found
        for line in lines[1:]:
            with suppress(ValueError, KeyError, TypeError):
                row = json.loads(line)
                found[row["key"]] = dict(row["outcome"])
        if lines[-1]:  # a killed grading's last line: end it, so that the next is one of its own
            with suppress(OSError), open(self.path, "ab") as file:
                file.write(b"\n")
        return found

    def _append(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._descriptor, data) :]


def key_of(mode: str, tests: str, program: str) -> str:
    """Return the key of a program: a hash of all that decides about it but the conditions of the grading."""
    return hashlib.sha256(json.dumps([mode, tests, program]).encode()).hexdigest()
