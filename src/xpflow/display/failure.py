"""What is said of a job that failed: which one, the end of its log, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from xpflow.display.job_log import last_lines
from xpflow.display.run import Failure
from xpflow.display.words import Marks, took

LINES = 12
AGAIN = "mend what the log says, then run the same command again: what is done stays done"
# A word of the log -> what helps.
CURES = {
    "hint: ": "",  # ours say it themselves
    "Killed": "the system killed it, most likely for want of memory: run fewer jobs at once (--cores 1)",
    "MemoryError": "it ran out of memory: run fewer jobs at once (--cores 1), or lower the batch size",
    "OutOfMemoryError": "the GPU ran out of memory: lower the batch size; `xpflow plan` says what fits",
    "No space left on device": "the disk is full: make room; results/ may be a link to another disk",
}


def failure_lines(failure: Failure, marks: Marks) -> list[str]:
    """Return the lines that tell of a failed job."""
    job = failure.job
    lines = [f"{marks.bad} {job.label} failed after {took(failure.seconds)} (rule {job.rule})"]
    tail: list[str] = []
    for log in job.logs:
        found = last_lines(log, LINES)
        lines.append(f"  the end of {log}:" if found else f"  {log} is empty")
        lines += [f"  {marks.rule} {line}" for line in found]
        tail += found
    lines.append(f"  what to do: {_cure(tail)}")
    return lines


def _cure(tail: Sequence[str]) -> str:
    for line in reversed(tail):
        for word, cure in CURES.items():
            if word in line:
                return f"{cure or line.strip().removeprefix(word)}; then run the same command again"
    return AGAIN
