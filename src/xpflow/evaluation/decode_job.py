"""One decoding job: a model, loaded once, decodes a benchmark or a shard of it with every arm and budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from xpflow.decoding import DecodeSettings, Trace, settings_from
from xpflow.decoding.decode import batches
from xpflow.decoding.samples import decode_samples, sample_numbers, shard_rows
from xpflow.errors import ConfigError
from xpflow.problems.problem import Problem
from xpflow.protocols.find import find_protocol
from xpflow.protocols.prompter import Prompter
from xpflow.runtime.models import model_settings, model_source, open_model
from xpflow.study.config.base import budget_text
from xpflow.study.config.root import StudyConfig
from xpflow.study.rows import Job, Row, trace_row
from xpflow.study.settings import arm_settings

Report = Callable[[int, int], None]
Shard = tuple[int, int]
Sample = dict[str, Any]


class Decoder:
    """A loaded model that decodes problems in the ways of a study's rows.

    `checkpoint` is the folder of the weights, None the base weights; `trained_policy` the file that
    `policy: trained` stands for.
    """

    def __init__(
        self,
        config: StudyConfig,
        model: str,
        problems: Sequence[Problem],
        *,
        checkpoint: Path | None = None,
        trained_policy: Path | None = None,
    ) -> None:
        self.config, self.trained_policy = config, trained_policy
        self.model, tokenizer = open_model(config, checkpoint or model_source(config, model))
        self.protocol = find_protocol(model_settings(config, model).protocol)
        self.prompter = Prompter(self.protocol, tokenizer)
        self.problems = {problem.task_id: problem for problem in problems}
        self.items = [(problem.task_id, self.prompter.encode(problem)) for problem in problems]

    def samples(self, row: Row, shard: Shard, progress: Callable[[int], None] | None = None) -> list[Sample]:
        """Return the samples of one row, or of a shard of it, with columns that say which row it is."""
        return self._samples(row, self.items, shard, progress, sample_numbers(row.samples))

    def sample(self, row: Row, task_id: str, number: int = 0) -> Sample:
        """Return a sample of one problem, decoded in the batch of a whole run (last bits depend on it)."""
        prompts = [list(prompt) for _, prompt in self.items]
        place = [name for name, _ in self.items].index(task_id)
        [beside] = [rows for rows in batches(prompts, self._way(row)[0].batch_size) if place in rows]
        items = [self.items[other] for other in beside]
        found = self._samples(row, items, (1, 1), None, [number] if row.samples > 1 else None)
        return found[beside.index(place)]

    def _samples(
        self,
        row: Row,
        items: Sequence[Any],
        shard: Shard,
        progress: Callable[[int], None] | None,
        numbers: Sequence[int] | None,
    ) -> list[Sample]:
        settings, policy = self._way(row)
        found, _ = decode_samples(
            self.model,
            self._read,
            items,
            settings,
            policy,
            seed=row.seed,
            samples=numbers,
            shard=shard,
            progress=progress,
        )
        columns = {
            "model": row.model,
            "protocol": self.protocol.label,
            "benchmark": row.benchmark,
            "arm": row.arm,
        }
        return [{**sample, **columns, "budget": budget_text(row.budget)} for sample in found]

    def trace(self, row: Row, place: int) -> Trace:
        """Return the trace of one problem, decoded in the way of a row."""
        settings, policy = self._way(row)
        item = self.items[min(place, len(self.items) - 1)]
        _, traces = decode_samples(
            self.model, self._read, [item], settings, policy, seed=row.seed, trace=True
        )
        return traces[0]

    def count(self, shard: Shard) -> int:
        """Return how many problems a shard has."""
        prompts = [list(prompt) for _, prompt in self.items]
        return len(shard_rows(prompts, self.config.evaluation.batch_size, *shard))

    def _read(self, task_id: str, tokens: list[int]) -> str:
        return self.prompter.answer(self.problems[task_id], tokens)

    def _way(self, row: Row) -> tuple[DecodeSettings, str | None]:
        """Return the decoder settings of a row, and its policy."""
        arm = self.config.arm(row.arm)
        values = arm_settings(self.config, arm, row.model, row.benchmark, row.budget)
        if arm.policy == "trained" and self.trained_policy is None:
            raise ConfigError(
                f"arm {arm.name!r} has `policy: trained`, and no trained policy was given",
                hint="give --policy-trained FILE",
            )
        policy = str(self.trained_policy) if arm.policy == "trained" else arm.policy
        return settings_from(arm.decoder, values), None if policy == "none" else policy


def run_job(decoder: Decoder, job: Job, shard: Shard = (1, 1), report: Report | None = None) -> list[Sample]:
    """Return the samples of a job's shard, all arms and budgets one after the other.

    A shard holds whole batches, so the samples do not depend on how many shards there are. `report` is called
    with (done, total) answers.
    """
    total = decoder.count(shard) * sum(row.samples for row in job.rows)
    samples: list[Sample] = []
    for row in job.rows:
        samples += decoder.samples(row, shard, _after(report, len(samples), total))
    return samples


def shown_row(config: StudyConfig) -> Row:
    """Return the row of the decoding picture; raises ConfigError where the study has none."""
    row = trace_row(config)
    if row is None:
        raise ConfigError(
            "the study has no flow arm for the decoding picture", hint="set reporting.trace_arm"
        )
    return row


def trace_problem(decoder: Decoder) -> Trace:
    """Return the trace of the decoding picture: the problem and the arm that block `reporting` names."""
    return decoder.trace(shown_row(decoder.config), decoder.config.reporting.trace_problem)


def _after(report: Report | None, before: int, total: int) -> Callable[[int], None] | None:
    if report is None:
        return None
    return lambda done: report(before + done, total)
