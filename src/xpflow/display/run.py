"""A run of the workflow as it stands: which jobs wait, run, are done or failed. It prints nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xpflow.display.forecast import Forecast
from xpflow.display.job_log import Reading, read_progress

OVERDUE = 0.25
PARTS, TARGET = "scatteritem", "all"  # a wildcard; a rule that only waits for others


@dataclass(slots=True)
class Job:
    """A running job. `started`: seconds since 1970; `first`, `last`: its first and newest progress."""

    number: int
    rule: str
    message: str
    names: Mapping[str, str]
    logs: tuple[Path, ...]
    started: float
    works: bool = True  # it runs a command; `all` only waits for others
    first: Reading | None = None
    last: Reading | None = None

    @property
    def label(self) -> str:
        """The job in a few words: `decode llada-micro micropy-he base seed 0`."""
        words = self.rule.replace("_shard", "").replace("_", " ").split()
        for name, value in self.names.items():
            if name == PARTS:
                words += [] if value == "1-of-1" else [f"part {value.replace('-of-', '/')}"]
            else:
                words.append(f"{name} {value}" if value.isdecimal() else value)
        return " ".join(words)

    @property
    def rate(self) -> float | None:
        """How many of its steps it does in a second, over all that was seen; None before the first."""
        if self.first is None or self.last is None:
            return None
        steps, seconds = self.last.done - self.first.done, self.last.at - self.first.at
        if steps <= 0 or seconds <= 0:  # one reading so far: since it started
            steps, seconds = self.last.done, self.last.at - self.started
        return steps / seconds if steps > 0 and seconds > 0 else None

    def look(self) -> None:
        """Read its log again."""
        found = read_progress(self.logs, self.started)
        if found is None:
            return
        if self.last is None or self.first is None or found.total != self.last.total:
            self.first = found  # a new part of its work
        elif found.done < self.last.done:
            self.first = found
        self.last = found


@dataclass(frozen=True, slots=True)
class Failure:
    """A job that failed, after some seconds."""

    job: Job
    seconds: float


@dataclass
class Run:
    """All jobs of a run; `now`: the clock, seconds since 1970. Threads may ask while another one tells."""

    now: Callable[[], float]
    total: int = 0
    done: int = 0
    waiting: dict[str, int] = field(default_factory=dict)
    running: dict[int, Job] = field(default_factory=dict)
    failures: dict[int, Failure] = field(default_factory=dict)
    forecast: Forecast = field(default_factory=Forecast)
    name: str = ""
    began: float = 0.0
    ways: int = 1  # jobs that ran at once
    worked_from: float | None = None  # when the first job began

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.began = self.now()

    def plan(self, counts: Mapping[str, int]) -> None:
        """Note how many jobs of each rule there are to do."""
        with self.lock:
            self.waiting = {rule: count for rule, count in counts.items() if rule not in ("total", TARGET)}
            self.total = sum(self.waiting.values())

    def start(self, job: Job, times: Path | None) -> None:
        """Note that a job runs; `times` is the file that will have its seconds."""
        with self.lock:
            if not self.name and times is not None:
                self._find_study(times)
            again = self.failures.pop(job.number, None)
            if again is None:
                self.waiting[job.rule] = max(0, self.waiting.get(job.rule, 0) - 1)
            self.running[job.number] = job
            self.worked_from = self.worked_from or job.started
            self.ways = max(self.ways, len(self.running))

    def finish(self, number: int) -> tuple[Job, float] | None:
        """Note that a job is done; returns it with its seconds."""
        with self.lock:
            job = self.running.pop(number, None)
            if job is None:
                return None
            self.done += job.rule != TARGET
            seconds = self.now() - job.started
            if job.works:
                self.forecast.learn(job.rule, seconds)
            return job, seconds

    def fail(self, number: int) -> Failure | None:
        """Note that a job failed; returns it with its seconds."""
        with self.lock:
            job = self.running.pop(number, None)
            if job is None:
                return None
            self.failures[number] = Failure(job, self.now() - job.started)
            return self.failures[number]

    def look(self) -> list[Job]:
        """Read the logs of the running jobs; returns those that run a command, the oldest first."""
        with self.lock:
            jobs = [job for job in self.running.values() if job.works]
        for job in jobs:
            job.look()
        return sorted(jobs, key=lambda job: (job.started, job.number))

    def job_left(self, job: Job) -> float | None:
        """Return the seconds that a job still needs, by its own speed or by what others of its rule took."""
        rate, now = job.rate, self.now()
        if rate is not None and job.last is not None:
            return max(0.0, (job.last.total - job.last.done) / rate - (now - job.last.at))
        expected = self.forecast.seconds(job.rule)
        elapsed = now - job.started
        return expected - elapsed if expected is not None and expected > elapsed else None

    def left(self, jobs: Sequence[Job]) -> float | None:
        """Return the seconds until the study is done; None where nothing is known of what waits."""
        with self.lock:
            waiting = dict(self.waiting)
        own = [(job.rule, job.last.share, self.now() - job.started) for job in jobs if job.last]
        speeds = {rule: elapsed / share for rule, share, elapsed in own if share >= 0.05}
        work = self.forecast.work(waiting, speeds)
        if work is None:
            return None
        now_running = [left for job in jobs if (left := self._surely_left(job)) is not None]
        if not work and not now_running:
            return None
        return max([(work + sum(now_running)) / self.ways, *now_running])

    def _surely_left(self, job: Job) -> float | None:
        """Return what `job_left` says; of a job that takes longer than expected, a part of what it took."""
        left = self.job_left(job)
        if left is None and self.forecast.seconds(job.rule) is not None:
            return OVERDUE * (self.now() - job.started)
        return left

    def share(self, left: float | None) -> float:
        """Return what is done of the study: by time, or by the number of jobs where `left` is not known."""
        if left is None:
            return self.done / max(1, self.total)
        worked = self.now() - (self.worked_from or self.now())
        return worked / max(worked + left, 1e-9)

    def _find_study(self, times: Path) -> None:
        """Name the study by the folder results/STUDY/benchmarks/..., and read what its jobs should take."""
        for folder in times.parents:
            if folder.name == "benchmarks":
                self.name = folder.parent.name
                self.forecast.read(folder)
                return
