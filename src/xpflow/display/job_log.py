"""How far a job is, by the last line of progress in its log: `decoding: 12/80, 30 s, 0.4/s`.

The commands print such lines anyway (`xpflow.cli.progress`, and the training loops), and a log is there on
every machine and in every container that a job may run in. So nothing passes between job and display but this
file, and a display that is wrong, or not there, changes nothing for a job.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

TAIL = 4096  # bytes of a log that are looked at
LINE = re.compile(rb"^[^\r\n]*?(?:: | update )(\d+)/(\d+)[,: ]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Reading:
    """How many of how many, as a job said it at some time (seconds since 1970)."""

    done: int
    total: int
    at: float

    @property
    def share(self) -> float:
        """The part that is done."""
        return self.done / self.total


def read_progress(logs: tuple[Path, ...], since: float) -> Reading | None:
    """Return the newest progress in a job's logs; None where there is none, or it is older than the job."""
    for log in logs:
        try:
            if log.stat().st_mtime < since:
                continue  # of the run before this one
            with log.open("rb") as file:
                file.seek(0, 2)
                file.seek(max(0, file.tell() - TAIL))
                found = LINE.findall(file.read())
        except OSError:
            continue
        for done, total in reversed(found):
            if int(total) >= max(1, int(done)):
                return Reading(int(done), int(total), log.stat().st_mtime)
    return None


def last_lines(log: Path, count: int) -> list[str]:
    """Return the last lines of a log but for progress and empty ones; none where it cannot be read."""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 4 * TAIL))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    lines = (line.rstrip() for line in text.splitlines())
    return [line for line in lines if line and not LINE.match(line.encode())][-count:]
