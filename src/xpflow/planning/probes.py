"""The probes of a study as the plan counts them: decodes that are followed, finished snaps, single readings.

Every step of a decode runs and commits one token, so a snap after s steps leaves N - s masks at most, and
mask prediction takes a forward for each of them; after the last step nothing is left. States and noisy texts
are read in one forward each, laid out as in training (`training.corruption`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from xpflow.planning.assumptions import Prompt
from xpflow.planning.sizes import ModelSizes
from xpflow.planning.stages import Workload
from xpflow.planning.work import Forward, Memory, Work, decode_memory, training_sequence
from xpflow.study.config.evaluation import Arm
from xpflow.study.config.probes import ProbePlace
from xpflow.study.config.root import StudyConfig
from xpflow.study.probes import FINISHER, FLOW, FULL, probe_arms, probe_jobs, readers_at

TOKENS = 2  # true ones and wrong ones are mixed in
Cell = Callable[[Arm, str, str, Fraction, int], Workload]  # arm, model, benchmark, budget, problems
Count = Callable[[str, str, int | None], int]  # benchmark, split, limit -> problems


@dataclass(frozen=True, slots=True)
class Reading:
    """Answers of N tokens behind their prompts, each read in `times` forwards, `rows` answers at a time."""

    arch: ModelSizes
    prompt: Prompt
    length: int
    answers: int
    times: int
    rows: int
    weight_bytes: int

    @property
    def forwards(self) -> int:
        """Return the forwards of all answers."""
        return self.answers * self.times

    def works(self) -> list[Work]:
        """Return the work of all answers; a smaller last batch counts by its share of a full one."""
        size, reads = training_sequence(self.arch, self.prompt.mean, self.length)
        one = Forward(self.rows, size, size, reads, self.weight_bytes)
        return [one.work(self.arch, self.forwards / self.rows)]

    def memory(self) -> Memory:
        """Return the peak, with prompts of the greatest length."""
        size, reads = training_sequence(self.arch, self.prompt.longest, self.length)
        return decode_memory(
            self.arch, self.rows, size, reads, self.weight_bytes, embeds=True, kv_cache=False
        )


@dataclass(frozen=True, slots=True)
class Probing:
    """The probes of a place on a benchmark, `jobs` times: once for each seed."""

    name: str
    decodes: Sequence[Workload]
    readings: Sequence[Reading]
    jobs: int
    graded: int
    settings: tuple[str, ...] = ("evaluation.batch_size",)

    @property
    def detail(self) -> str:
        """Return how much is decoded and read."""
        decoded, read = (sum(one.forwards for one in part) for part in (self.decodes, self.readings))
        return f"{self.jobs} x ({decoded:,} forwards of decodes at most, {read:,} readings)"

    @property
    def forwards(self) -> float:
        """Return the forwards of all rows together."""
        return float(self.jobs * sum(one.forwards for one in (*self.decodes, *self.readings)))

    @property
    def programs(self) -> int:
        """Return the programs that are run: of every decode and snap, equal ones counted twice."""
        return self.jobs * self.graded

    def works(self, gpus: int) -> list[Work]:
        """Return the work of the GPU that has most to do: a job runs on one."""
        share = -(-self.jobs // min(gpus, self.jobs))
        return [work.scaled(share) for one in (*self.decodes, *self.readings) for work in one.works()]

    def memory(self, gpus: int) -> Memory:
        """Return the memory of what needs most."""
        found = [one.memory() for one in (*self.decodes, *self.readings)]
        return max(found, key=lambda memory: memory.total)


def probe_stages(config: StudyConfig, cell: Cell, count: Count) -> Iterator[Probing]:
    """Yield a stage for each place and benchmark, in the order of the jobs.

    Args:
        cell: makes the workload of an arm on so many problems.
        count: problems of a benchmark's split, or the limit.
    """
    jobs = [(job.place, job.benchmark) for job in probe_jobs(config)]
    places = {place.name: place for place in config.probes.places}
    for name, benchmark in dict.fromkeys(jobs):
        plan = _Place(config, cell, count, places[name], benchmark)
        yield Probing(
            f"probe {name} {benchmark}",
            list(plan.decodes()),
            [*plan.mixed(), *plan.noisy()],
            jobs.count((name, benchmark)),
            plan.graded,
        )


@dataclass(frozen=True, slots=True)
class _Place:
    """One place on one benchmark."""

    config: StudyConfig
    cell: Cell
    count: Count
    place: ProbePlace
    benchmark: str

    def decodes(self) -> Iterator[Workload]:
        """Yield what is decoded: mask prediction alone, then each policy's decode and its snaps, finished."""
        block = self.config.probes
        if not block.mixed:
            return
        yield (full := self._finished())
        for arm, budget in probe_arms(self.config):
            if arm.decoder != FLOW:
                continue
            yield (followed := self._of(arm, budget))
            length, steps = followed.decode.length, int(budget * followed.decode.length)
            for number in range(1, block.snaps):
                left = Fraction(length - round(number * steps / block.snaps), length)
                yield from [replace(full, decode=replace(full.decode, budget=left))] * len(block.snap_at)

    @property
    def graded(self) -> int:
        """Return the programs that are run: of mask prediction, and of every decode and snap."""
        block = self.config.probes
        each = 1 + len(block.policies) * (1 + block.snaps * len(block.snap_at))
        return each * self._problems(self.benchmark) if block.mixed else 0

    def mixed(self) -> Iterator[Reading]:
        """Yield the states of validity, and the passes of the likelihood."""
        block = self.config.probes
        if not block.mixed:
            return
        full = self._finished()
        yield _reading(full, full.problems, TOKENS * len(block.geometries) * len(block.t), full.rows)
        if block.passes:
            passes = block.passes if self.place.soft else 1
            yield _reading(full, full.problems, block.draws * passes, block.draws)

    def noisy(self) -> Iterator[Reading]:
        """Yield the texts with wrong tokens: of validation problems for each candidate, and of the others."""
        block, readers = self.config.probes.noisy, readers_at(self.config, self.place.name)
        if not readers:
            return
        full, asked = self._finished(), len(block.kinds) * len(block.shares)
        tested = len(readers) * (asked + len(block.context)) + len(block.ratios)
        size = self.config.evaluation.batch_size
        yield _reading(full, full.problems, tested, min(size, full.problems))
        known = self._problems(block.validation[self.benchmark])
        chosen = sum(len(reader.candidates) or 1 for reader in readers)
        yield _reading(full, known, chosen * asked, min(size, known))

    def _problems(self, benchmark: str) -> int:
        entry = next(one for one in self.config.problems.benchmarks if one.name == benchmark)
        known = self.count(benchmark, entry.split, entry.limit)
        return min(known, self.config.probes.limit or known)

    def _finished(self) -> Workload:
        return self._of(Arm(name="probe-finish", decoder=FINISHER), FULL)

    def _of(self, arm: Arm, budget: Fraction) -> Workload:
        return self.cell(arm, self.place.model, self.benchmark, budget, self._problems(self.benchmark))


def _reading(like: Workload, answers: int, times: int, rows: int) -> Reading:
    decode = like.decode
    return Reading(like.arch, like.prompt, decode.length, answers, times, rows, decode.weight_bytes)
