"""The stages of a study that need a GPU, each with its work and memory on a given number of GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from xpflow.planning.alignment import Alignment
from xpflow.planning.assumptions import Prompt
from xpflow.planning.sizes import ModelSizes
from xpflow.planning.work import Decode, Memory, Work, decisions_memory, decode_memory


class Stage(Protocol):
    """One row of the plan. `settings` names the keys of the configuration that its memory depends on."""

    @property
    def name(self) -> str:
        """Return what the plan calls it."""

    @property
    def detail(self) -> str:
        """Return how much of it there is, in words."""

    @property
    def settings(self) -> tuple[str, ...]:
        """Return the keys, as runtime.processes, that change its memory."""

    @property
    def forwards(self) -> float:
        """Return the forwards of all rows together (training: sequences trained on)."""

    @property
    def programs(self) -> int:
        """Return the programs that have to be run, on the CPU."""

    def works(self, gpus: int) -> list[Work]:
        """Return the work of the GPU that has most to do."""

    def memory(self, gpus: int) -> Memory:
        """Return the peak memory of one GPU."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One decoding of a set of problems with one model; `embeds`: the decoder's state is embeddings.

    share: how many of its steps run, where the decoder ends before its budget.
    """

    name: str
    arch: ModelSizes
    decode: Decode
    prompt: Prompt
    problems: int
    batch_size: int
    embeds: bool = False
    share: float = 1.0

    @property
    def rows(self) -> int:
        """Return the rows of a batch."""
        return min(self.batch_size, self.problems)

    @property
    def batches(self) -> int:
        """Return how many batches there are."""
        return -(-self.problems // self.batch_size)

    @property
    def forwards(self) -> int:
        """Return the forwards of all rows."""
        return self.problems * self.decode.steps(self.arch, self.prompt.mean)

    @property
    def tokens(self) -> int:
        """Return the response tokens that are decoded."""
        return self.problems * self.decode.length

    def works(self) -> list[Work]:
        """Return the work of all problems; a smaller last batch counts by its share of a full one."""
        one = self.decode.works(self.arch, self.prompt.mean, self.rows)
        return [work.scaled(self.share * self.problems / self.rows) for work in one]

    def memory(self) -> Memory:
        """Return the peak, with prompts of the greatest length."""
        decode, arch = self.decode, self.arch
        return decode_memory(
            arch,
            self.rows,
            decode.window(arch, self.prompt.longest),
            decode.reads(arch),
            decode.weight_bytes,
            embeds=self.embeds,
            kv_cache=decode.kv_cache,
        )


@dataclass(frozen=True, slots=True)
class Decoding:
    """Workloads that are shared out over GPUs in at most `ways` parts, each with the whole model."""

    name: str
    detail: str
    workloads: Sequence[Workload]
    ways: int
    settings: tuple[str, ...]
    programs: int = 0

    @property
    def forwards(self) -> float:
        """Return the forwards of all rows of all workloads."""
        return float(sum(one.forwards for one in self.workloads))

    def works(self, gpus: int) -> list[Work]:
        """Return an even share of all workloads."""
        parts = min(gpus, self.ways)
        return [work.scaled(1 / parts) for one in self.workloads for work in one.works()]

    def memory(self, gpus: int) -> Memory:
        """Return the memory of the workload that needs most."""
        return max((one.memory() for one in self.workloads), key=lambda memory: memory.total)


@dataclass(frozen=True, slots=True)
class Aligning:
    """The alignments of one model with one loss, a run for each seed; processes = GPUs."""

    name: str
    alignment: Alignment
    runs: int
    programs: int = 0
    settings: tuple[str, ...] = (
        "runtime.activation_checkpointing",
        "runtime.vocab_chunk",
        "runtime.micro_batch",
        "runtime.processes",
    )

    @property
    def detail(self) -> str:
        """Return runs, kind, updates and batch."""
        settings, full = self.alignment.settings, self.alignment.full
        kind = "all parameters" if full else "adapters"
        return (
            f"{kind}, {self.runs} x {settings.updates:,} updates of {settings.batch_size}"
            f" x {self.alignment.sequence(self.alignment.prompt)[0]} tokens"
        )

    @property
    def forwards(self) -> float:
        """Return the sequences trained on."""
        return float(self.runs * self.alignment.settings.updates * self.alignment.settings.batch_size)

    def works(self, gpus: int) -> list[Work]:
        """Return the work of one process, all seeds one after the other."""
        return [work.scaled(self.runs) for work in self.alignment.on(gpus).works()]

    def memory(self, gpus: int) -> Memory:
        """Return the peak of one process."""
        return self.alignment.on(gpus).memory()


@dataclass(frozen=True, slots=True)
class Rollouts:
    """The training of a step-size policy: `rollouts` is one update's, cut into `shards` batches.

    probed: it is trained for the probes, at a budget of its own.
    """

    name: str
    rollouts: Workload
    updates: int
    shards: int
    runs: int
    hidden: int
    warm_start: bool
    validations: Sequence[Workload] = ()
    validation_runs: int = 0
    probed: bool = False
    settings: tuple[str, ...] = ("grpo.rollout_shards",)

    @property
    def steps(self) -> int:
        """Return the forwards of one rollout."""
        return self.rollouts.decode.steps(self.rollouts.arch, self.rollouts.prompt.mean)

    @property
    def detail(self) -> str:
        """Return runs, updates, rollouts and steps."""
        return (
            f"{self.runs} x {self.updates:,} updates x {self.rollouts.problems} rollouts x {self.steps} "
            f"steps, {self.shards} shards"
        )

    @property
    def forwards(self) -> float:
        """Return the forwards of all rollouts, warm start and validation included."""
        rolled = (self.updates + self.warm_start) * self.rollouts.forwards
        checked = self.validation_runs * sum(cell.forwards for cell in self.validations)
        return float(self.runs * (rolled + checked))

    @property
    def programs(self) -> int:
        """Return the programs that are graded."""
        checked = self.validation_runs * sum(cell.problems for cell in self.validations)
        return self.runs * ((self.updates + self.warm_start) * self.rollouts.problems + checked)

    def works(self, gpus: int) -> list[Work]:
        """Return the work of the process with most shards; validation runs on one."""
        share = -(-self.shards // min(gpus, self.shards)) / self.shards
        times = self.runs * (self.updates + self.warm_start) * share
        rolled = [work.scaled(times) for work in self.rollouts.works()]
        checked = [work for cell in self.validations for work in cell.works()]
        return rolled + [work.scaled(self.runs * self.validation_runs) for work in checked]

    def memory(self, gpus: int) -> Memory:
        """Return a rollout batch's peak, and the decisions of the whole update.

        A token is decided on until it is committed, one a step: N T - T (T - 1) / 2 decisions of a rollout.
        """
        length, steps = self.rollouts.decode.length, self.steps
        per_rollout = length * steps - steps * (steps - 1) / 2
        decisions = self.rollouts.problems * max(per_rollout, float(length))
        return self.rollouts.memory().with_part("decisions", decisions_memory(decisions, self.hidden))
