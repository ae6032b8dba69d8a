"""The display on a terminal: a line for the study, one for each running job, and what is done above them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from xpflow.display.run import Failure, Job, Run
from xpflow.display.words import Marks, about, clock, cut, marks_for, plain, printable, rate_text, took

PER_S = 2.0  # times a second that it is drawn
BAR = 24  # columns of the widest bar
LEAST_BAR = 8


class Screen:
    """Draws a run at the lower end of a terminal, in place, and prints above what is to stay."""

    def __init__(self, run: Run, stream: TextIO, *, colour: bool = True, per_s: float = PER_S) -> None:
        self.run, self.stream, self.marks = run, stream, marks_for(stream)
        self.broken: Exception | None = None
        self.console = Console(file=stream, no_color=not colour, highlight=False, force_terminal=True)
        self.live = Live(
            console=self.console,
            get_renderable=self.draw,
            refresh_per_second=per_s,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
        )

    def say(self, text: str) -> None:
        """Print a text that somebody else wrote, above what is drawn."""
        self._print(printable(text, self.stream))

    def started(self, job: Job) -> None:
        """Draw from the first job on."""
        if self.live.is_started:
            self.live.refresh()
        else:
            self.live.start(refresh=True)

    def finished(self, job: Job, seconds: float) -> None:
        """Leave a line of a job that is done."""
        self._row(self.marks.good, "green", job.label, took(seconds))

    def failed(self, failure: Failure) -> None:
        """Leave a line of a job that failed; how and why comes at the end."""
        self._row(self.marks.bad, "bold red", failure.job.label, "failed")

    def report(self, lines: Sequence[str]) -> None:
        """Print what stands out at the end."""
        self.end()
        first, *rest = lines or [""]
        self._print("")
        self._print(printable(first, self.stream), "bold red")
        for line in rest:
            self._print(printable(line, self.stream), "bold" if "what to do" in line else "")
        self._print("")

    def end(self) -> None:
        """Take away what is drawn."""
        if self.live.is_started:
            self.live.stop()

    def draw(self) -> Group:
        """Return the lines as they are now; a fault is kept for whoever asks, and draws nothing."""
        try:
            return Group(*self.lines(self.console.width, self.console.height))
        except Exception as error:  # never the end of a run
            self.broken = error
            return Group()

    def lines(self, width: int, height: int) -> list[Text]:
        """Return the lines for a terminal of some columns and rows; none is wider."""
        jobs, room = self.run.look(), max(1, height - 3)
        shown = jobs if len(jobs) <= room else jobs[: room - 1]
        drawn = [self._study(jobs, width), *self._jobs(shown, width)]
        if len(shown) < len(jobs):
            drawn.append(Text(cut(f"  and {len(jobs) - len(shown)} more", width, self.marks.dots), "dim"))
        for line in drawn:
            line.no_wrap, line.overflow = True, "crop"
            line.truncate(width)
        return drawn

    def _study(self, jobs: Sequence[Job], width: int) -> Text:
        """Return the line of the study; parts that do not fit are left out, the last one first."""
        run, dot = self.run, f" {self.marks.dot} "
        left = run.left(jobs)
        elapsed = run.now() - run.began
        share = run.share(left)
        name, time_left = run.name or "study", "" if left is None else f"{about(left)} left"
        whole = [f"{run.done} of {run.total} done", f"{len(jobs)} running", clock(elapsed), time_left]
        short = [f"{run.done}/{run.total}", "", "", f"{clock(left)} left" if left is not None else ""]
        for parts in (whole, [*whole[:1], "", *whole[2:]], [*whole[:1], "", "", whole[3]], short):
            words = dot.join(part for part in parts if part)
            bar = min(BAR, width - len(name) - len(words) - 2)
            if bar >= LEAST_BAR:
                return Text.assemble((name, "bold"), " ", *self._bar(share, bar), " ", words)
        return Text(cut(f"{name} {words}", width, self.marks.dots), "bold")

    def _jobs(self, jobs: Sequence[Job], width: int) -> list[Text]:
        """Return the lines of jobs in columns: label, bar, percent, speed, time left."""
        if not jobs:
            return []
        rows = [self._numbers(job) for job in jobs]
        wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
        label = max(len(job.label) for job in jobs)
        if width < 60:
            wide[1] = 0  # no room for the speed
        numbers = sum(one + 2 for one in wide if one)
        bar = min(BAR, width - 2 - label - numbers - 2)
        bar = bar if bar >= LEAST_BAR else 0
        label = min(label, width - 2 - numbers - (bar + 2 if bar else 0))
        drawn = []
        for job, columns in zip(jobs, rows, strict=True):
            line = Text.assemble("  ", cut(plain(job.label), label, self.marks.dots).ljust(label))
            if bar:
                line.append_text(Text.assemble("  ", *self._bar(self._share(job), bar)))
            for one, size in zip(columns, wide, strict=True):
                line.append(f"  {one:>{size}}" if size else "", "dim")
            drawn.append(line)
        return drawn

    def _share(self, job: Job) -> float:
        """Return what is done of a job: as it says itself, else by the time that it should take."""
        if job.last is not None:
            return job.last.share
        elapsed, left = self.run.now() - job.started, self.run.job_left(job)
        return 0.0 if left is None else elapsed / max(elapsed + left, 1e-9)

    def _numbers(self, job: Job) -> tuple[str, str, str]:
        """Return percent, speed and time left of a job; where it says nothing, how long it has run."""
        elapsed, left = self.run.now() - job.started, self.run.job_left(job)
        percent = f"{job.last.share:.0%}" if job.last else ""
        speed = rate_text(job.rate) if job.rate else ""
        if job.last is not None and job.last.done == job.last.total:
            return percent, speed, "finishing"
        return percent, speed, f"for {clock(elapsed)}" if left is None else f"{clock(left)} left"

    def _bar(self, share: float, width: int) -> list[tuple[str, str]]:
        full = round(min(max(share, 0.0), 1.0) * width)
        return [(self.marks.full * full, "green"), (self.marks.empty * (width - full), "dim")]

    def _row(self, mark: str, style: str, label: str, end: str) -> None:
        room = self.console.width - len(mark) - len(end) - 6
        name = cut(plain(label), room, self.marks.dots)
        self.console.print(
            Text.assemble("  ", (mark, style), " ", name, (f" {self.marks.dot} {end}", "dim")),
            no_wrap=True,
            overflow="crop",
        )
        if self.live.is_started:
            self.live.refresh()

    def _print(self, text: str, style: str = "") -> None:
        self.console.print(Text(text, style), soft_wrap=True)


def is_terminal(stream: TextIO, term: str) -> bool:
    """Return whether a stream is a terminal that can move its cursor; `term`: the environment's TERM."""
    return stream.isatty() and term not in ("", "dumb", "unknown")


__all__ = ["Marks", "Screen", "is_terminal"]
