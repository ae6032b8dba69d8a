"""One probing job: a model's weights on a benchmark; all probes, and the verdicts that they need.

Rows of three files: `validity.jsonl` (see `validity_rows`); `recovery.jsonl`, a row for each task, policy,
snap and bound {task_id, policy, at, snap_at, passed, masks, nfe}, where at 0, of all masks, stands once, with
policy and bound null; `trajectory.jsonl`, a row for each task and policy {task_id, policy, passed, nfe,
steps, off, off_at, t_at, final_t, reedits, visited}; with `passes` also `likelihood.jsonl` (see
`likelihood_rows`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from xpflow.artifacts.io import write_jsonl
from xpflow.decoding import DecodeSettings, Trace, settings_from
from xpflow.decoding.canvas import model_facts
from xpflow.decoding.decode import decode
from xpflow.decoding.decoders.soft_tokens import SoftTokensSettings
from xpflow.decoding.samples import row_seed
from xpflow.decoding.tokens import suppressed_ids
from xpflow.decoding.trace import Array
from xpflow.errors import ConfigError, DataError
from xpflow.noise import OneMask
from xpflow.probes.likelihood import likelihood_rows
from xpflow.probes.recovery import finish, snap_steps, snapped
from xpflow.probes.trajectory import as_row, follow
from xpflow.probes.validity import Row, Subject, validity_rows
from xpflow.problems.problem import Problem
from xpflow.protocols.find import find_protocol
from xpflow.protocols.prompter import Prompter
from xpflow.runtime.answers import answered, make_grader, passed
from xpflow.runtime.models import model_settings, model_source, open_model
from xpflow.study.config.root import StudyConfig
from xpflow.study.layout import probe_file_names
from xpflow.study.probes import FINISHER, FLOW, SOFT, ProbeJob, probe_arms
from xpflow.study.settings import arm_settings
from xpflow.training.examples import Example, response_ids


@dataclass(frozen=True, slots=True)
class Snap:
    """An answer that is to be graded: tokens `[N]` of a problem, and the row that its verdict completes."""

    problem: Problem
    tokens: list[int]
    row: Row


class Prober:
    """A loaded model that is probed as block `probes` of a study says.

    `checkpoint` is the folder of trained weights, None the base weights; `policies` the files of those that
    were trained for the probes, by name.
    """

    def __init__(
        self,
        config: StudyConfig,
        job: ProbeJob,
        problems: Sequence[Problem],
        *,
        checkpoint: Path | None = None,
        policies: Mapping[str, Path] | None = None,
    ) -> None:
        self.config, self.job, self.block = config, job, config.probes
        self.problems = list(problems[: self.block.limit])
        self.policies = _specs(config, policies or {})
        self.model, tokenizer = open_model(config, checkpoint or model_source(config, job.model))
        self.prompter = Prompter(find_protocol(model_settings(config, job.model).protocol), tokenizer)
        self.prompts = [self.prompter.encode(problem) for problem in self.problems]
        self.seeds = [row_seed(job.seed, problem.task_id) for problem in self.problems]
        self.facts = model_facts(self.model)
        if not isinstance(self.facts.noise, OneMask):
            raise ConfigError(
                f"{job.model} has no single mask token, and mixed states are made with it",
                hint="leave it out of probes.places",
            )
        table: Any = self.model.get_input_embeddings()
        self.table_VE: Tensor = table.weight.detach()

    def run(self) -> dict[str, list[Row]]:
        """Run all probes; returns the rows of each file by its name."""
        full, nfe = self._finished(None)
        snaps = [
            Snap(
                problem,
                tokens,
                {"policy": None, "at": 0.0, "snap_at": None, "nfe": count, "masks": len(tokens)},
            )
            for problem, tokens, count in zip(self.problems, full, nfe, strict=True)
        ]
        decodes: list[Snap] = []
        for name, spec in self.policies.items():
            traces = self._traces(spec)
            decodes += self._followed(name, traces)
            snaps += self._snaps(name, traces)
        self._grade([*snaps, *decodes])
        subjects = self._subjects(full)
        rows = (self._validity(subjects), [one.row for one in snaps], [one.row for one in decodes])
        passes = [self._likelihood(subjects)] if self.block.passes else []
        return dict(zip(probe_file_names(self.config), (*rows, *passes), strict=True))

    def settings(self, decoder: str, budget: Fraction) -> DecodeSettings:
        """Return what the probes decode with: the study's settings of an arm with this decoder."""
        arm = next(arm for arm, _ in probe_arms(self.config) if arm.decoder == decoder)
        return settings_from(
            decoder, arm_settings(self.config, arm, self.job.model, self.job.benchmark, budget)
        )

    def _finished(self, snaps: Sequence[Array] | None) -> tuple[list[list[int]], list[int]]:
        """Return what mask prediction at full budget makes of snaps (None: all masks), and its forwards."""
        settings = self.settings(FINISHER, Fraction(1))
        tokens_BN, nfe_B = finish(self.model, self.prompts, snaps, settings, self.seeds)
        return tokens_BN.tolist(), nfe_B.tolist()

    def _traces(self, spec: str) -> list[Trace]:
        settings = self.settings(FLOW, self.block.budget)
        found = decode(self.model, self.prompts, settings, spec, trace=True, seeds=self.seeds)
        return found.trace or []

    def _followed(self, name: str, traces: Sequence[Trace]) -> list[Snap]:
        """Return the decodes' own answers, each with its trajectory."""
        assert isinstance(self.facts.noise, OneMask)
        m_E, found = self.table_VE[self.facts.noise.id], []
        for problem, trace in zip(self.problems, traces, strict=True):
            row = {"policy": name, "nfe": trace.head["nfe"], "steps": trace.steps}
            row |= as_row(follow(trace, self.table_VE, m_E, self._steps(trace), self.block.t))
            found.append(Snap(problem, trace.head["tokens"], row))
        return found

    def _snaps(self, name: str, traces: Sequence[Trace]) -> list[Snap]:
        """Return the finished answers of all snaps of a policy's decodes but those of all masks."""
        found = []
        for number in range(1, self.block.snaps + 1):
            for bound in self.block.snap_at:
                found += self._snap(name, traces, number, bound)
        return found

    def _snap(self, name: str, traces: Sequence[Trace], number: int, bound: float) -> list[Snap]:
        steps = [min(self._steps(trace)[number], trace.steps) for trace in traces]
        hard = [snapped(trace, step, bound) for trace, step in zip(traces, steps, strict=True)]
        over = [step == trace.steps for trace, step in zip(traces, steps, strict=True)]
        tokens, nfe = self._finished(hard)
        names = {"policy": name, "at": round(number / self.block.snaps, 6), "snap_at": bound}
        return [
            Snap(
                problem,
                trace.head["tokens"] if ended else answer,
                {
                    **names,
                    "masks": _masks(trace, ids, len(answer)) * (not ended),
                    "nfe": step + count * (not ended),
                },
            )
            for problem, trace, ids, ended, answer, step, count in zip(
                self.problems, traces, hard, over, tokens, steps, nfe, strict=True
            )
        ]

    def _steps(self, trace: Trace) -> list[int]:
        """Return the steps after which a decode is snapped; one that ended early keeps its last state."""
        settings = self.settings(FLOW, self.block.budget)
        return snap_steps(max(settings.steps, trace.steps), self.block.snaps)

    def _grade(self, snaps: Sequence[Snap]) -> None:
        """Write task and verdict into every row; equal programs are run once."""
        programs = answered(self.prompter, [one.problem for one in snaps], [one.tokens for one in snaps])
        with make_grader(self.config) as grader:
            verdicts = passed(grader.grade(programs))
        for one, good in zip(snaps, verdicts, strict=True):
            row = {"task_id": one.problem.task_id, **one.row, "passed": good}
            one.row.clear()
            one.row.update(row)

    def _subjects(self, own: Sequence[list[int]]) -> list[Subject]:
        length, subjects = self.settings(FINISHER, Fraction(1)).gen_length, []
        for problem, prompt, answer in zip(self.problems, self.prompts, own, strict=True):
            response: Sequence[int] | None = answer
            if self.block.answers == "reference":
                text = problem.canonical_solution.rstrip("\n")
                response = response_ids(self.prompter.tokenizer, text, length)
            if response is not None:  # else the benchmark's own answer is too long
                subjects.append(Subject(problem.task_id, Example(tuple(prompt), tuple(response))))
        if not subjects:
            raise DataError(
                f"no answer of {self.job.benchmark} has {length} tokens or fewer",
                hint="set probes.answers: own",
            )
        return subjects

    def _likelihood(self, subjects: Sequence[Subject]) -> list[Row]:
        arms = {arm.name: arm for arm, _ in probe_arms(self.config)}
        arm, soft = arms.get(f"probe-{self.job.place}"), None
        if arm is not None and arm.decoder == SOFT:
            values = arm_settings(self.config, arm, self.job.model, self.job.benchmark, Fraction(1))
            soft = settings_from(SOFT, values)
        assert soft is None or isinstance(soft, SoftTokensSettings)
        block = self.block
        return likelihood_rows(self.model, subjects, block.passes, block.draws, soft, seed=self.job.seed)

    def _validity(self, subjects: Sequence[Subject]) -> list[Row]:
        settings = self.settings(FINISHER, Fraction(1))
        hidden = sorted({*suppressed_ids(settings, self.facts), *self.facts.noise.ids})
        return validity_rows(
            self.model, subjects, self.block, hidden, seed=self.job.seed, batch_size=settings.batch_size
        )


def write_probes(folder: Path, rows: Mapping[str, Sequence[Row]]) -> list[Path]:
    """Write the files of a probing job into a folder; returns their paths."""
    for name, found in rows.items():
        write_jsonl(folder / name, found)
    return [folder / name for name in rows]


def _specs(config: StudyConfig, files: Mapping[str, Path]) -> dict[str, str]:
    """Return each policy's spec by its name; raises ConfigError where a trained one lacks its file."""
    trained = {one.name for one in config.probes.policies if one.policy is None}
    if odd := sorted(trained ^ files.keys()):
        why = "trained, and no file was given" if odd[0] in trained else "not trained for the probes"
        raise ConfigError(
            f"policy {odd[0]!r} is {why}",
            hint="give --policy NAME=FILE for each policy with a train_budget, and for those only",
        )
    return {one.name: one.policy or str(files[one.name]) for one in config.probes.policies}


def _masks(trace: Trace, ids: Array, length: int) -> int:
    return int(np.asarray(trace.is_open(ids[:length])).sum())
