"""Plain lines, for pipes and files: one when a job starts, one when it ends, and one every now and then."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TextIO

from xpflow.display.run import Failure, Job, Run
from xpflow.display.words import LETTERS, Marks, about, printable, rate_text, took

EVERY_S = 60.0


class Lines:
    """Prints what happens in a run to a stream; `every_s`: seconds between lines on what is running."""

    marks: Marks = LETTERS

    def __init__(self, run: Run, stream: TextIO, every_s: float = EVERY_S) -> None:
        self.run, self.stream, self.every_s = run, stream, every_s
        self._over = threading.Event()
        self._ticker: threading.Thread | None = None

    def say(self, text: str) -> None:
        """Print a text that somebody else wrote."""
        print(printable(text, self.stream), file=self.stream, flush=True)

    def started(self, job: Job) -> None:
        """Say that a job runs."""
        self.say(f"Job {job.number}: {job.message or job.label}")
        if self._ticker is None:
            self._ticker = threading.Thread(target=self._tick, daemon=True)
            self._ticker.start()

    def finished(self, job: Job, seconds: float) -> None:
        """Say that a job is done."""
        self.say(f"Job {job.number}: done in {took(seconds)}; {self.state([])}")

    def failed(self, failure: Failure) -> None:
        """Say that a job failed; how and why comes at the end."""
        self.say(f"Job {failure.job.number}: FAILED after {took(failure.seconds)}")

    def report(self, lines: Sequence[str]) -> None:
        """Print what stands out at the end."""
        self.say("\n".join(["", *lines, ""]))

    def tick(self) -> None:
        """Say how far the study and its jobs are."""
        jobs = self.run.look()
        if jobs:
            self.say("; ".join([self.state(jobs), *filter(None, map(self._how_far, jobs))]))

    def state(self, jobs: Sequence[Job]) -> str:
        """Return how far the study is, in words."""
        text = f"{self.run.done} of {self.run.total} jobs done"
        text += f" after {took(self.run.now() - self.run.began)}" if jobs else ""
        left = self.run.left(jobs or self.run.look())
        return text if left is None or self.run.done >= self.run.total else f"{text}, {about(left)} left"

    def end(self) -> None:
        """Stop saying how far it is."""
        self._over.set()

    def _how_far(self, job: Job) -> str:
        if job.last is None:
            return f"{job.label}: {took(self.run.now() - job.started)}"
        text, left = f"{job.label}: {job.last.share:.0%}", self.run.job_left(job)
        text += f", {rate_text(job.rate)}" if job.rate else ""
        return text if left is None else f"{text}, {about(left)} left"

    def _tick(self) -> None:
        while not self._over.wait(self.every_s):
            try:
                self.tick()
            except (OSError, ValueError):  # the stream is closed
                return
