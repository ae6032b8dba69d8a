"""The plan of a study: memory and hours of every stage on every GPU and number of GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xpflow.errors import ConfigError
from xpflow.planning.assumptions import Assumptions, Gpu, Machine
from xpflow.planning.remedies import misfits, remedies
from xpflow.planning.stages import Stage
from xpflow.planning.study import Space, StudyPlan, disk_space
from xpflow.planning.work import Memory
from xpflow.study.config.root import StudyConfig


@dataclass(frozen=True, slots=True)
class Entry:
    """One stage on `gpus` GPUs of one kind: wall seconds, peak memory of a GPU, and whether that fits."""

    stage: Stage
    gpu: str
    gpus: int
    seconds: float
    memory: Memory
    fits: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """All entries, and what else a study needs. `cpu`: the study runs on the CPU, there are no entries."""

    study: StudyPlan
    stages: Sequence[Stage]
    gpus: Sequence[Gpu]
    counts: Sequence[int]
    entries: Sequence[Entry]
    disk: Sequence[Space]
    cpu: bool

    def machine(self, gpu: Gpu) -> Machine:
        """Return a GPU's sustained rates and usable memory for this study."""
        return self.study.given.machine(gpu, self.study.config.runtime.dtype)

    def find(self, gpu: str, gpus: int) -> list[Entry]:
        """Return the entries of one GPU and count, in the order of the stages."""
        return [entry for entry in self.entries if (entry.gpu, entry.gpus) == (gpu, gpus)]

    @property
    def grading_s(self) -> float:
        """Return the seconds that the study's workers need to run all programs."""
        programs = sum(stage.programs for stage in self.stages)
        return programs * self.study.given.program_s / self.study.config.grading.workers

    def check(self) -> None:
        """Raise ConfigError when the study as configured fits on none of the plan's GPUs."""
        if self.cpu:
            return
        config, given = self.study.config, self.study.given
        processes = config.runtime.processes
        machines = [self.machine(gpu) for gpu in self.gpus]
        found = {machine.name: misfits(config, given, machine) for machine in machines}
        if any(not failing for failing in found.values()):
            return
        lines = [f"study {config.study.name} with runtime.processes {processes} fits on no GPU of this plan:"]
        hints = []
        for machine in machines:
            for stage in found[machine.name]:
                needed, there = stage.memory(processes).total / 1e9, machine.usable / 1e9
                lines.append(f"  {machine.name}: {stage.name} needs {needed:.0f} GB of {there:.0f}")
            ways = [remedy.text for remedy in remedies(config, given, machine)]
            hints.append(f"{machine.name}: " + ("; or ".join(ways) or "no setting makes it fit"))
        raise ConfigError("\n".join(lines), hint="what would fit\n    " + "\n    ".join(hints))


def make_plan(
    config: StudyConfig, gpus: Sequence[Gpu], counts: Sequence[int], given: Assumptions | None = None
) -> Plan:
    """Compute a study's plan for GPUs of some kinds, each at some counts; `check` says whether it fits.

    A column of `n` GPUs is the study with `runtime.processes: n`. Raises ConfigError for a model whose sizes
    are unknown and for counts below 1.
    """
    if any(count < 1 for count in counts):
        raise ConfigError(f"GPU counts start at 1, found {min(counts)}", hint="write --gpus 1,2,4,8")
    study = StudyPlan(config, given or Assumptions())
    stages, cpu = study.stages(), config.runtime.device == "cpu"
    entries = (
        [] if cpu else [_entry(study, stage, gpu, n) for gpu in gpus for n in counts for stage in stages]
    )
    return Plan(study, stages, gpus, counts, entries, disk_space(study), cpu)


def disk_bytes(config: StudyConfig) -> float:
    """Return the bytes that a study writes, without what is fetched; 0 where sizes are unknown."""
    try:
        return sum(space.size for space in disk_space(StudyPlan(config, Assumptions())) if not space.fetched)
    except ConfigError:
        return 0.0


def _entry(study: StudyPlan, stage: Stage, gpu: Gpu, gpus: int) -> Entry:
    machine = study.given.machine(gpu, study.config.runtime.dtype)
    memory = stage.memory(gpus)
    seconds = sum(work.seconds(machine) for work in stage.works(gpus))
    return Entry(stage, gpu.name, gpus, seconds, memory, memory.total <= machine.usable)
